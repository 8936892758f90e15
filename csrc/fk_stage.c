/* The stage as the kernel models it: mass, thrust, aerodynamic forces; and what that model misses. */
#include "fk_math.h"
#include "fk_parts.h"

#include <math.h>

#define MISSED_FILTER_S 2.0
#define MISSED_LIMIT_MPS2 4.0
#define PLUME_LEAST 1e-6 /* is divided by */
#define WIND_FILTER_S 0.8
#define WIND_SHOWS_PER_S 0.03 /* force across, specific, for each m/s of wind: about 90 m/s of speed */
#define WIND_LIMIT_MPS 40.0
#define STRENGTH_FILTER_S 1.0
#define STRENGTH_SHOWS_MPS2 5.0 /* of thrust */
#define MASS_FILTER_S 0.5       /* where nobody knows what was burnt */
#define STRENGTH_ROOM 0.15
#define TURN_FILTER_S 0.1
#define SHUT 0.03 /* valve position, falling as slowly as thrust tails off */
#define SHUT_S 0.15
#define OPEN_GIVES 1.3   /* of full pressure for each of the stroke, at most */
#define CHAMBER_LIT 0.03 /* fraction of full pressure below which an engine gives nothing */

static void find_centre_of_mass(fk_stage_t *stage, const fk_if_config_t *c)
{
    const double propellant = stage->mass_kg - c->dry_mass_kg;
    stage->cm_z_m = (c->dry_mass_kg * c->dry_cm_z_m + propellant * c->propellant_cm_z_m) / stage->mass_kg;
    stage->inertia_kgm2 = c->inertia_transverse_kgm2 * stage->mass_kg / c->mass_kg;
}

void fk_stage_init(fk_stage_t *stage, const fk_if_config_t *c)
{
    stage->mass_kg = c->mass_kg;
    stage->plume = 1.0;
    stage->pressure_ratio = 1.0;
    stage->strength = 1.0;
    find_centre_of_mass(stage, c);
}

/* Linear interpolation of an aerodynamic table, held at its ends. */
static double at_mach(const fk_if_config_t *c, const double table[FK_IF_AERO_POINTS], double mach)
{
    if (mach <= c->aero_mach[0]) {
        return table[0];
    }
    for (int32_t i = 1; i < c->aero_points; i++) {
        if (mach < c->aero_mach[i]) {
            const double part = (mach - c->aero_mach[i - 1]) / (c->aero_mach[i] - c->aero_mach[i - 1]);
            return table[i - 1] + part * (table[i] - table[i - 1]);
        }
    }
    return table[c->aero_points - 1];
}

static void find_air(fk_stage_t *stage, const fk_if_config_t *c, const fk_nav_t *nav)
{
    const fk_air_t air = fk_air_at(nav->height_m);
    stage->pressure_ratio = air.pressure_ratio;
    stage->density_kgpm3 = air.density_kgpm3;
    stage->speed_mps = fk_norm(nav->vel_cm_pad_mps);
    stage->mach = stage->speed_mps / (340.294 * sqrt(air.theta));
    stage->dynamic_pressure_pa = 0.5 * stage->density_kgpm3 * stage->speed_mps * stage->speed_mps;
    const double force = stage->dynamic_pressure_pa * c->ref_area_m2 * stage->plume;
    stage->axial_n = force * at_mach(c, c->aero_axial, stage->mach);
    stage->normal_n_per_rad = force * at_mach(c, c->aero_normal_slope, stage->mach);
}

/* Thrust of each engine from its chamber pressure, and the propellant that this takes. */
static void find_thrust(fk_stage_t *stage, const fk_if_config_t *c, const fk_if_input_t *in)
{
    double flow = 0.0;
    double full = 0.0;
    stage->thrust_total_n = 0.0;
    for (int32_t i = 0; i < c->engine_count; i++) {
        const fk_if_engine_config_t *e = &c->engine[i];
        const double read = fk_clamp(in->engine[i].chamber_pa / e->chamber_pa, 0.0, 1.2);
        const double pressure_loss = (e->thrust_vac_n - e->thrust_sl_n) * stage->pressure_ratio;
        /* a pressure that is read behind closed valves, or closing ones, is no thrust */
        const double open =
            fk_clamp(fk_min(in->engine[i].ox_valve_pos, in->engine[i].fuel_valve_pos), 0.0, 1.0);
        stage->open[i] = fk_max(open, stage->open[i] + c->frame_s / SHUT_S * (open - stage->open[i]));
        const double fraction = fk_min(read, OPEN_GIVES * stage->open[i]);
        const int32_t lit = fraction > CHAMBER_LIT && in->engine[i].fresh && stage->open[i] > SHUT;
        stage->thrust_n[i] = lit ? fk_max(0.0, fraction * e->thrust_vac_n - pressure_loss) : 0.0;
        stage->thrust_total_n += stage->thrust_n[i];
        flow += lit ? fraction * e->thrust_vac_n / (e->isp_vac_s * FK_G0) : 0.0;
        full += e->thrust_sl_n;
    }
    stage->plume =
        fk_max(1.0 + (c->plume_factor - 1.0) * fk_clamp(stage->thrust_total_n / full, 0.0, 1.0), PLUME_LEAST);
    stage->mass_kg = fk_max(c->dry_mass_kg, stage->mass_kg - flow * c->frame_s);
}

/* Fins and gimbals share a torque by the square of what each can do. */
static void find_shares(fk_stage_t *stage, const fk_if_config_t *c)
{
    const double arm = fk_max(stage->cm_z_m - c->gimbal_plane_z_m, 1.0);
    const double fin_arm = fk_max(c->fin_z_m - stage->cm_z_m, 1.0);
    const double fin = 2.0 * stage->dynamic_pressure_pa * c->fin_slope_m2_per_rad * fin_arm;
    const double fins = fin > FK_FINS_USEFUL_NM_PER_RAD ? fin * c->fin_limit_rad : 0.0;
    const double gimbals = stage->thrust_total_n * arm * c->engine[0].gimbal_limit_rad;
    const double sum = fins * fins + gimbals * gimbals;
    stage->turn_most_radps2 = (fins + gimbals) / stage->inertia_kgm2;
    stage->fin_part = sum > 0.0 ? fins * fins / sum : 0.0;
}

/* Adds the force across with which gimbals turn the stage and hold it against the air, from how it turns: that
 * needs no word from gimbals, which may err. */
static void turning_force(fk_stage_t *stage, const fk_if_config_t *c, const fk_nav_t *nav,
                          double force_body[3])
{
    const double lever = c->aero_cp_z_m - stage->cm_z_m;
    const double air_nm[2] = {-lever * force_body[1], lever * force_body[0]};
    const double arm = fk_max(stage->cm_z_m - c->gimbal_plane_z_m, 1.0);
    const double part = stage->thrust_total_n > 0.0 ? 1.0 - stage->fin_part : 0.0;
    double torque[2];
    for (int32_t i = 0; i < 2; i++) {
        const double turned = nav->held_omega[i] - stage->turn_radps[i];
        stage->turn_radps[i] += fk_min(c->frame_s / TURN_FILTER_S, 1.0) * turned;
        stage->turned_radps2[i] = turned / TURN_FILTER_S;
        torque[i] = part * (stage->inertia_kgm2 * stage->turned_radps2[i] - air_nm[i]);
    }
    force_body[0] -= torque[1] / arm;
    force_body[1] += torque[0] / arm;
}

/* Specific force that the model expects, in pad axes. */
static void modelled_force(fk_stage_t *stage, const fk_if_config_t *c, const fk_nav_t *nav,
                           double force_pad[3])
{
    double flow_body[3];
    fk_rotate_back(nav->q_pad_from_body, nav->vel_cm_pad_mps, flow_body);
    const double across = stage->speed_mps > 1.0 ? stage->normal_n_per_rad / stage->speed_mps : 0.0;
    double force_body[3] = {-across * flow_body[0], -across * flow_body[1],
                            stage->thrust_total_n + (flow_body[2] < 0.0 ? 1.0 : -1.0) * stage->axial_n};
    turning_force(stage, c, nav, force_body);
    fk_scale(1.0 / stage->mass_kg, force_body, force_body);
    fk_rotate(nav->q_pad_from_body, force_body, force_pad);
    fk_add_scaled(1.0, stage->trim_pad_mps2, force_pad);
}

/* Off-centre thrust turns the stage; the gimbals hold against it, and push it sideways by that. */
static void find_trim(fk_stage_t *stage, const fk_if_config_t *c, const fk_nav_t *nav)
{
    const double arm = fk_max(stage->cm_z_m - c->gimbal_plane_z_m, 1.0);
    double side_body[3] = {0.0, 0.0, 0.0};
    for (int32_t i = 0; i < c->engine_count; i++) {
        side_body[0] -= stage->thrust_n[i] * c->engine[i].pos_body_m[0];
        side_body[1] -= stage->thrust_n[i] * c->engine[i].pos_body_m[1];
    }
    stage->turn_most_radps2 -= fk_norm(side_body) / stage->inertia_kgm2;
    fk_scale(1.0 / (arm * stage->mass_kg), side_body, side_body);
    fk_rotate(nav->q_pad_from_body, side_body, stage->trim_pad_mps2);
}

/* What the model misses: across, a wind first, whose force grows with speed as the stage falls through it,
 * then a rest.  The wind is learnt where it shows, and held where it does not. */
static void learn_missed(fk_stage_t *stage, const fk_if_config_t *c, const fk_nav_t *nav)
{
    double model[3];
    double measured[3];
    const double per_wind = stage->normal_n_per_rad / fk_max(stage->speed_mps, 1.0) / stage->mass_kg;
    const double shows = fk_clamp(per_wind / WIND_SHOWS_PER_S, 0.0, 1.0);
    modelled_force(stage, c, nav, model);
    fk_rotate(nav->held_q, nav->held_force_body, measured);
    for (int32_t i = 0; i < 3; i++) {
        double missed = fk_clamp(measured[i] - model[i], -MISSED_LIMIT_MPS2, MISSED_LIMIT_MPS2);
        stage->missed_pad_mps2[i] = 0.0;
        if (i < 2) {
            const double wrong = missed - per_wind * stage->wind_pad_mps[i];
            stage->wind_pad_mps[i] = fk_clamp(stage->wind_pad_mps[i]
                                                  + c->frame_s / WIND_FILTER_S * shows * shows * wrong
                                                        / fk_max(per_wind, WIND_SHOWS_PER_S),
                                              -WIND_LIMIT_MPS, WIND_LIMIT_MPS);
            stage->missed_pad_mps2[i] = per_wind * stage->wind_pad_mps[i];
            missed -= stage->missed_pad_mps2[i];
        }
        stage->rest_pad_mps2[i] += c->frame_s / MISSED_FILTER_S * (missed - stage->rest_pad_mps2[i]);
        stage->missed_pad_mps2[i] += stage->rest_pad_mps2[i];
    }
}

/* How much harder than modelled the engines push the stage, by what is felt: thrust and mass are not quite those of the
 * data sheet. */
static void learn_strength(fk_stage_t *stage, const fk_if_config_t *c, const fk_nav_t *nav, int32_t resumed)
{
    const double pushed = stage->thrust_total_n / stage->mass_kg;
    if (pushed > STRENGTH_SHOWS_MPS2) {
        const double felt = (nav->held_force_body[2] - stage->axial_n / stage->mass_kg) / pushed;
        const double seen = fk_clamp(felt, 1.0 - STRENGTH_ROOM, 1.0 + STRENGTH_ROOM);
        stage->strength += c->frame_s / STRENGTH_FILTER_S * (seen - stage->strength);
        if (resumed) {
            const double felt_kg = stage->mass_kg * (1.0 + c->frame_s / MASS_FILTER_S * (1.0 - seen));
            stage->mass_kg = fk_clamp(felt_kg, c->dry_mass_kg, c->mass_kg);
        }
    }
}

void fk_stage_update(fk_stage_t *stage, const fk_if_config_t *c, const fk_nav_t *nav, const fk_if_input_t *in,
                     int32_t resumed)
{
    if (!nav->known) {
        return;
    }
    find_thrust(stage, c, in);
    find_centre_of_mass(stage, c);
    find_air(stage, c, nav);
    find_shares(stage, c);
    find_trim(stage, c, nav);
    learn_missed(stage, c, nav);
    learn_strength(stage, c, nav, resumed);
}
