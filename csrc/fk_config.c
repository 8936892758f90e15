/* Which configurations are flown: every number finite and within the range that the rest of the kernel counts on. */
#include "fk_math.h"
#include "fk_parts.h"

#include <string.h>

typedef struct {
    size_t at; /* of a double */
    double low, high;
} range_t;

#define ENGINE(field) offsetof(fk_if_engine_config_t, field)
#define CONFIG(field) offsetof(fk_if_config_t, field)

static const range_t ENGINE_RANGES[] = {
    {ENGINE(pos_body_m[0]), -1e2, 1e2},    {ENGINE(pos_body_m[1]), -1e2, 1e2},
    {ENGINE(thrust_sl_n), 1.0, 1e9},       {ENGINE(thrust_vac_n), 1.0, 2e9},
    {ENGINE(throttle_floor), 1e-3, 1.0},   {ENGINE(isp_vac_s), 1.0, 1e5},
    {ENGINE(chamber_pa), 1.0, 1e10},       {ENGINE(thrust_lag_s), 1e-4, 1e2},
    {ENGINE(valve_slew_per_s), 1e-6, 1e6}, {ENGINE(start_s), 0.0, 1e3},
    {ENGINE(gimbal_limit_rad), 0.0, 1.0},  {ENGINE(gimbal_rate_radps), 0.0, 1e3},
};

static const range_t CONFIG_RANGES[] = {
    {CONFIG(frame_s), 1e-4, 1.0},
    {CONFIG(ignition_forced_t_s), -1e9, 1e9},
    {CONFIG(mass_kg), 1.0, 1e9},
    {CONFIG(dry_mass_kg), 1.0, 1e9},
    {CONFIG(dry_cm_z_m), -1e3, 1e3},
    {CONFIG(propellant_cm_z_m), -1e3, 1e3},
    {CONFIG(inertia_transverse_kgm2), 1e-3, 1e12},
    {CONFIG(inertia_axial_kgm2), 1e-3, 1e12},
    {CONFIG(gimbal_plane_z_m), -1e3, 1e3},
    {CONFIG(length_m), 0.0, 1e3},
    {CONFIG(ref_area_m2), 1e-6, 1e6},
    {CONFIG(aero_cp_z_m), -1e3, 1e3},
    {CONFIG(plume_factor), 0.0, 1e1},
    {CONFIG(fin_z_m), -1e3, 1e3},
    {CONFIG(fin_arm_m), 0.0, 1e3},
    {CONFIG(fin_slope_m2_per_rad), 0.0, 1e6},
    {CONFIG(fin_limit_rad), 0.0, 1.6},
    {CONFIG(fin_rate_radps), 0.0, 1e3},
    {CONFIG(throttle_plan_low), 0.0, 1.0},
    {CONFIG(throttle_plan_high), 0.0, 1.0},
    {CONFIG(land_throttle), 1e-3, 1.0},
    {CONFIG(brake_throttle), 1e-3, 1.0},
    {CONFIG(touchdown_speed_mps), 1e-3, 1e2},
    {CONFIG(soft_finish_height_m), 1e-3, 1e5},
    {CONFIG(tilt_limit_rad), 1e-6, 1.5},
    {CONFIG(keep_out_radius_m), 0.0, 1e6},
};

#define MOST_COEFFICIENT 1e3

/* False for what is not finite. */
static int32_t in_range(double x, double low, double high)
{
    return x >= low && x <= high;
}

static int32_t all_in_range(const void *from, const range_t *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double x;
        memcpy(&x, (const unsigned char *)from + ranges[i].at, sizeof x);
        if (!in_range(x, ranges[i].low, ranges[i].high)) {
            return 0;
        }
    }
    return 1;
}

static int32_t engines_usable(const fk_if_config_t *c)
{
    if (c->engine_count < 1 || c->engine_count > FK_ENGINES) {
        return 0;
    }
    for (int32_t i = 0; i < c->engine_count; i++) {
        const fk_if_engine_config_t *e = &c->engine[i];
        if (!all_in_range(e, ENGINE_RANGES, sizeof ENGINE_RANGES / sizeof ENGINE_RANGES[0])
            || e->thrust_vac_n < e->thrust_sl_n) {
            return 0;
        }
    }
    return 1;
}

/* The tables are read by growing Mach number. */
static int32_t tables_usable(const fk_if_config_t *c)
{
    if (c->aero_points < 1 || c->aero_points > FK_IF_AERO_POINTS) {
        return 0;
    }
    double before = -1.0;
    for (int32_t i = 0; i < c->aero_points; i++) {
        if (!in_range(c->aero_mach[i], 0.0, 1e2) || !(c->aero_mach[i] > before)
            || !in_range(c->aero_axial[i], -MOST_COEFFICIENT, MOST_COEFFICIENT)
            || !in_range(c->aero_normal_slope[i], -MOST_COEFFICIENT, MOST_COEFFICIENT)) {
            return 0;
        }
        before = c->aero_mach[i];
    }
    return 1;
}

int32_t fk_config_usable(const fk_if_config_t *c)
{
    return all_in_range(c, CONFIG_RANGES, sizeof CONFIG_RANGES / sizeof CONFIG_RANGES[0])
           && c->mass_kg >= c->dry_mass_kg && engines_usable(c) && tables_usable(c);
}

double fk_least_thrust_sl_n(const fk_if_engine_config_t *e)
{
    return e->throttle_floor * e->thrust_vac_n - (e->thrust_vac_n - e->thrust_sl_n);
}
