/* ev_limits.c - counted on what is driven, not on what a sensor says: a dead sensor hides nothing. */
#include "ev_limits.h"

#include <math.h>

#define ON 0.5

static int32_t over(double used, double allowed)
{
    return allowed > 0.0 && used > allowed;
}

int32_t ev_limits_use(ev_usage_t *usage, const ev_limit_t *limit, double drive, double speed_per_s,
                      double frame_s)
{
    const double effort = fabs(drive);
    if (speed_per_s > 0.0) {
        usage->strokes += effort * speed_per_s * frame_s;
    } else if (effort > ON && usage->drive <= ON) {
        usage->strokes += 1.0; /* an actuator without travel: switched on once more */
    }
    if (limit->duty_window_s > frame_s) {
        usage->duty += (effort - usage->duty) * frame_s / limit->duty_window_s;
    } else {
        usage->duty = effort;
    }
    usage->energy_j += effort * limit->power_w * frame_s;
    usage->drive = effort;
    return !over(usage->strokes, limit->strokes) && !over(usage->duty, limit->duty)
           && !over(usage->energy_j, limit->energy_j);
}

void ev_limits_new_run(ev_usage_t *usage)
{
    usage->strokes = 0.0;
    usage->energy_j = 0.0;
}

static int32_t sane(double x)
{
    return isfinite(x) && x >= 0.0 && x <= 1e9;
}

int32_t ev_limits_valid(const ev_limit_t *limit)
{
    return sane(limit->strokes) && sane(limit->duty) && limit->duty <= 1.0 && sane(limit->duty_window_s)
           && sane(limit->power_w) && sane(limit->energy_j);
}
