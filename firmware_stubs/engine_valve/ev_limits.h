/* ev_limits.h - what each actuator may do in one run: strokes, duty and energy. */
#ifndef EV_LIMITS_H
#define EV_LIMITS_H

#include <stdint.h>

enum { EV_OX = 0, EV_FUEL = 1, EV_VALVES = 2, EV_AXES = 2 };
enum { /* every actuator of a board; the valves first, in the order of EV_OX and EV_FUEL */
       EV_GIMBAL_X = 2,
       EV_GIMBAL_Y = 3,
       EV_IGNITER = 4,
       EV_ACTUATORS = 5
};
enum { EV_KIND_VALVE = 0, EV_KIND_GIMBAL = 1, EV_KIND_IGNITER = 2, EV_KINDS = 3 };

/* A value of 0 switches a limit off. */
typedef struct {
    double strokes;       /* full strokes in a run, end to end; of the igniter: times switched on */
    double duty;          /* mean of |drive|, 0 .. 1 ... */
    double duty_window_s; /* ... with this time constant */
    double power_w;       /* at full drive */
    double energy_j;      /* in a run */
} ev_limit_t;

typedef struct {
    double strokes;
    double duty;
    double energy_j;
    double drive; /* of the frame before */
} ev_usage_t;

/* Counts what `drive` (-1 .. 1 of full speed) costs in a frame; `speed_per_s` is full drive in strokes
 * a second.  Returns 1 while the actuator is within its limits. */
int32_t ev_limits_use(ev_usage_t *usage, const ev_limit_t *limit, double drive, double speed_per_s,
                      double frame_s);

/* Forgets strokes and energy: a new run begins.  Duty stays: what is warm stays warm. */
void ev_limits_new_run(ev_usage_t *usage);

/* 1: every value is one that a limit may have. */
int32_t ev_limits_valid(const ev_limit_t *limit);

#endif
