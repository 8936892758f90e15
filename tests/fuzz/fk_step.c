/* fk_step.c - whole flights of the kernel: a crude booster that obeys, and an input that spoils what it sees.
 *
 * The booster makes that many frames are plausible and that every mode is reached; the operations below replace
 * readings, times and states by anything.  Counted are calls of fk_step.
 */
#include "fuzz.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "fk.h"

#define MOST_FRAMES 6000
#define FRAME_NS 10000000
#define DT 0.01
#define LATENCY_NS 50000000
#define SLOTS (sizeof(fk_if_config_t) / sizeof(double))
#define START_FRAMES 30

enum { WELL, DEAD, WEAK, SILENT, STUCK, LYING };

typedef struct { /* one engine and its board */
    double valve, chamber;
    double lie;
    int32_t state, frames, trouble;
    int32_t dark; /* frames for which its board restarts: it is silent, and then SAFE */
} engine_t;

static struct {
    fk_t fk;
    fk_if_config_t config;
    fk_if_input_t in;
    fk_if_output_t out;
    engine_t engine[FK_ENGINES];
    double pos[3], vel[3], axis[3], omega[3], force;
    double engine_mps2; /* acceleration that one engine gives at full thrust */
    int32_t frames, mode, solver_iterations;
    int32_t
        given_up[FK_ENGINES];    /* called failed, or told to shut down but in a finish that can still land */
    int32_t starts[FK_ENGINES];  /* that were asked for */
    int32_t request[FK_ENGINES]; /* of the frame before */
    int32_t failed[FK_ENGINES];  /* then */
    int32_t rested[FK_ENGINES];  /* frames in a row in which its board said that it is at rest */
    uint32_t noise;
} s;

/* ---- what has to hold after every step ---- */

/* What failed, or was shut down but in a finish that can still land, is never asked for again, unless its failure is
 * withdrawn while its board has been at rest for three frames; none starts too often. */
static void check_life(const fk_if_engine_command_t *e, const fk_if_engine_config_t *c, int32_t i)
{
    const fk_if_telemetry_t *t = &s.out.telemetry;
    const int32_t landing = t->mode == FK_IF_TERMINAL && t->plan_source != FK_IF_ASIDE_OF_KEEP_OUT;
    const fk_if_engine_status_t *status = &s.in.engine[i];
    s.rested[i] = status->fresh && status->state == FK_IF_ENGINE_SAFE ? s.rested[i] + 1 : 0;
    if (s.failed[i] && !e->failed) {
        FUZZ_HOLDS(s.rested[i] >= 3 && s.starts[i] < FK_STARTS_MOST && s.starts[i] < c->starts);
        s.given_up[i] = 0;
        fuzz_note("taken_back");
    }
    s.failed[i] = e->failed;
    FUZZ_HOLDS(!s.given_up[i] || e->request == FK_IF_REQUEST_SHUTDOWN);
    s.given_up[i] |= e->failed || (e->request == FK_IF_REQUEST_SHUTDOWN && !landing);
    s.starts[i] += e->request == FK_IF_REQUEST_START && s.request[i] != FK_IF_REQUEST_START;
    FUZZ_HOLDS(s.starts[i] <= FK_STARTS_MOST && s.starts[i] <= (c->starts > 1 ? c->starts : 1));
    if (s.starts[i] > 1) {
        fuzz_note("lit_again");
    }
    s.request[i] = e->request;
}

static void check_engine(const fk_if_engine_command_t *e, const fk_if_engine_config_t *c, int32_t i)
{
    const int32_t alive = e->request == FK_IF_REQUEST_START || e->request == FK_IF_REQUEST_RUN;
    const double least = alive ? c->throttle_floor : 0.0;
    FUZZ_HOLDS(e->request >= FK_IF_REQUEST_ARM && e->request <= FK_IF_REQUEST_SHUTDOWN);
    FUZZ_HOLDS((e->failed == 0 || e->failed == 1) && (e->share == 0 || e->share == 1));
    FUZZ_HOLDS(fuzz_in(e->ox_valve_cmd, least, alive ? 1.0 : 0.0));
    FUZZ_HOLDS(fuzz_in(e->fuel_valve_cmd, least, alive ? 1.0 : 0.0));
    const double limit = e->request == FK_IF_REQUEST_RUN ? c->gimbal_limit_rad : 0.0;
    FUZZ_HOLDS(fuzz_in(e->gimbal_x_cmd_rad, -limit, limit));
    FUZZ_HOLDS(fuzz_in(e->gimbal_y_cmd_rad, -limit, limit));
    FUZZ_HOLDS(!e->failed || e->request == FK_IF_REQUEST_SHUTDOWN);
    FUZZ_HOLDS(!e->share || e->request != FK_IF_REQUEST_SHUTDOWN);
    check_life(e, c, i);
}

static void check_telemetry(const fk_if_telemetry_t *t)
{
    FUZZ_HOLDS(fuzz_finite(t->accel_cmd_pad_mps2, 3));
    FUZZ_HOLDS(fuzz_in(t->time_to_go_s, 0.0, 1e3));
    FUZZ_HOLDS(fuzz_in(t->thrust_cmd_n, 0.0, 1e300));
    FUZZ_HOLDS(fuzz_in(t->mass_est_kg, s.config.dry_mass_kg, s.config.mass_kg));
    FUZZ_HOLDS(fuzz_in(t->ignition_margin_m, -1e5, 1e5));
    FUZZ_HOLDS(fuzz_in(t->plan_age_s, 0.0, 1e3));
    FUZZ_HOLDS(fuzz_in(t->nav_age_s, 0.0, 1e3));
    FUZZ_HOLDS(fuzz_in(t->ignition_margin_s, -30.0, 30.0));
    FUZZ_HOLDS(t->ignition_margin_known == 0 || t->ignition_margin_known == 1);
    FUZZ_HOLDS(t->work >= 0 && t->work <= FK_WORK_BOUND);
    FUZZ_HOLDS(t->plan_source >= 0 && t->plan_source <= 3);
    FUZZ_HOLDS(t->mode >= FK_IF_COAST && t->mode <= FK_IF_ABORT && t->mode >= s.mode);
    s.mode = t->mode;
}

/* A state that is not finite would fly on unseen behind clamped outputs. */
static void check_state(const fk_t *fk)
{
    const size_t nav = sizeof fk->nav - offsetof(fk_nav_t, held_pos_pad_m);
    FUZZ_HOLDS(fuzz_finite(fk->nav.held_pos_pad_m, nav / sizeof(double)));
    FUZZ_HOLDS(fuzz_finite(&fk->stage.mass_kg, sizeof fk->stage / sizeof(double)));
    FUZZ_HOLDS(fuzz_finite(&fk->plan.brake_throttle, sizeof fk->plan / sizeof(double)));
    FUZZ_HOLDS(fuzz_finite(fk->demand.accel_pad_mps2, sizeof fk->demand / sizeof(double)));
    FUZZ_HOLDS(fuzz_finite(fk->control.torque_body_nm, sizeof fk->control / sizeof(double)));
    for (int32_t i = 0; i < fk->config.engine_count; i++) {
        FUZZ_HOLDS(fuzz_finite(&fk->engine[i].expected, 4));
        FUZZ_HOLDS(fuzz_finite(&fk->engine[i].starting_s, 2 + 3 * FK_PARTS)); /* up to what was seen */
    }
}

/* As the kernel counts them, and as the solver does. */
static void check_work(const fk_optimiser_t *o)
{
    const int32_t now = o->socp.iterations;
    FUZZ_HOLDS(o->iterations >= 0 && o->iterations <= FK_PLAN_ITERATIONS);
    FUZZ_HOLDS(now <= FK_PLAN_ITERATIONS || now - s.solver_iterations <= FK_PLAN_ITERATIONS);
    s.solver_iterations = now;
}

static void check_unused(int32_t from)
{
    static const fk_if_engine_command_t none;
    for (int32_t i = from; i < FK_ENGINES; i++) {
        FUZZ_HOLDS(memcmp(&s.out.engine[i], &none, sizeof none) == 0);
    }
}

static void note_mode(void)
{
    static const char *const name[] = {"coast",     "ignition", "braking", "terminal",
                                       "touchdown", "done",     "abort"};
    fuzz_note(name[s.mode]);
    if (s.out.telemetry.plan_source >= 2) {
        fuzz_note(s.out.telemetry.plan_source == 2 ? "on_an_optimised_plan" : "aside_of_the_keep_out");
    }
}

static void step_kernel(void)
{
    fk_step(&s.fk, &s.in, &s.out);
    for (int32_t i = 0; i < s.config.engine_count; i++) {
        check_engine(&s.out.engine[i], &s.config.engine[i], i);
    }
    check_unused(s.config.engine_count);
    for (int32_t i = 0; i < FK_IF_FINS; i++) {
        FUZZ_HOLDS(fuzz_in(s.out.fin_cmd_rad[i], -s.config.fin_limit_rad, s.config.fin_limit_rad));
    }
    check_telemetry(&s.out.telemetry);
    check_state(&s.fk);
    check_work(&s.fk.optimiser);
    note_mode();
    s.frames++;
    fuzz_count();
}

/* ---- the booster ---- */

static void restart_board(engine_t *e)
{
    if (e->dark > 0 && --e->dark == 0) {
        e->trouble = WELL;
        e->state = FK_IF_ENGINE_SAFE;
    }
}

static void run_engine(engine_t *e, const fk_if_engine_command_t *command)
{
    const int32_t request = command->request;
    e->frames++;
    restart_board(e);
    if (e->state == FK_IF_ENGINE_SAFE && request == FK_IF_REQUEST_ARM) {
        e->state = FK_IF_ENGINE_ARMED;
    } else if (e->state == FK_IF_ENGINE_ARMED && request == FK_IF_REQUEST_START) {
        e->state = FK_IF_ENGINE_START;
        e->frames = 0;
    } else if (e->state == FK_IF_ENGINE_START && e->frames > START_FRAMES) {
        e->state = FK_IF_ENGINE_MAINSTAGE;
    }
    if (request == FK_IF_REQUEST_SHUTDOWN) {
        e->state = e->valve > 0.0 ? FK_IF_ENGINE_SHUTDOWN : FK_IF_ENGINE_SAFE;
    }
    const double wanted = e->state >= FK_IF_ENGINE_START ? command->ox_valve_cmd : 0.0;
    e->valve += fmax(-0.03, fmin(0.03, wanted - e->valve));
    const double burns = e->state == FK_IF_ENGINE_START && e->frames < START_FRAMES / 2 ? 0.0 : e->valve;
    const double part = e->trouble == DEAD ? 0.0 : e->trouble == WEAK ? 0.8 : 1.0;
    e->chamber += 0.1 * (burns * part - e->chamber);
}

/* With constants of its own: the configuration may be a mutated one. */
static void move(void)
{
    const double speed = sqrt(s.vel[0] * s.vel[0] + s.vel[1] * s.vel[1] + s.vel[2] * s.vel[2]);
    double chambers = 0.0;
    for (int32_t i = 0; i < 3; i++) {
        run_engine(&s.engine[i], &s.out.engine[i]);
        chambers += s.engine[i].chamber;
    }
    s.force = s.engine_mps2 * chambers;
    const double *asked = s.out.telemetry.accel_cmd_pad_mps2;
    const double size = sqrt(asked[0] * asked[0] + asked[1] * asked[1] + asked[2] * asked[2]);
    const double follow = fuzz_in(size, 1.0, 1e3) && asked[2] > 0.5 * size ? 0.01 / size : 0.0;
    for (int32_t i = 0; i < 3; i++) {
        s.axis[i] += follow * asked[i] + s.omega[i] * DT;
    }
    const double length = sqrt(s.axis[0] * s.axis[0] + s.axis[1] * s.axis[1] + s.axis[2] * s.axis[2]);
    for (int32_t i = 0; i < 3; i++) {
        s.axis[i] = length > 0.1 ? s.axis[i] / length : i == 2;
        const double accel = s.force * s.axis[i] - 1e-4 * speed * s.vel[i] - (i == 2 ? 9.8 : 0.0);
        s.pos[i] += DT * s.vel[i];
        s.vel[i] += DT * accel;
    }
    if (s.pos[2] < 0.0) {
        s.pos[2] = 0.0;
        s.vel[0] = s.vel[1] = s.vel[2] = 0.0;
    }
}

static double noise(void)
{
    s.noise = s.noise * 1664525u + 1013904223u;
    return (double)(s.noise >> 8) / 8388608.0 - 1.0;
}

static void see_nav(double size, int64_t late_ns)
{
    fk_if_nav_t *n = &s.in.nav;
    n->valid_t_ns = s.in.t_ns - late_ns;
    const double late_s = (double)late_ns * 1e-9;
    for (int32_t i = 0; i < 3; i++) {
        n->pos_pad_m[i] = s.pos[i] - late_s * s.vel[i] + size * noise();
        n->vel_pad_mps[i] = s.vel[i] + 0.2 * size * noise();
        n->omega_body_radps[i] = s.omega[i] + 0.01 * size * noise();
        n->force_body_mps2[i] = (i == 2 ? s.force : 0.0) + 0.1 * size * noise();
    }
    const double half = sqrt(0.5 * (1.0 + fmax(s.axis[2], -0.99)));
    const double q[4] = {half, -0.5 * s.axis[1] / half, 0.5 * s.axis[0] / half, 0.0};
    memcpy(n->q_pad_from_body, q, sizeof q);
    n->height_m = n->pos_pad_m[2];
    n->fresh = n->valid = 1;
}

static void see_engines(void)
{
    for (int32_t i = 0; i < FK_ENGINES; i++) {
        engine_t *e = &s.engine[i];
        fk_if_engine_status_t *to = &s.in.engine[i];
        to->ox_valve_pos = to->fuel_valve_pos = e->valve;
        to->chamber_pa = e->chamber * s.config.engine[i].chamber_pa;
        to->gimbal_x_rad = s.out.engine[i].gimbal_x_cmd_rad;
        to->gimbal_y_rad = s.out.engine[i].gimbal_y_cmd_rad;
        to->state = e->trouble == STUCK ? (int32_t)e->lie % 7 : e->state;
        to->fresh = e->trouble != SILENT;
        if (e->trouble == LYING) {
            to->chamber_pa = e->lie;
        }
    }
}

static void fly(int32_t frames, double size)
{
    for (int32_t i = 0; i < frames && s.frames < MOST_FRAMES; i++) {
        move();
        s.in.t_ns = (int64_t)((uint64_t)s.in.t_ns + FRAME_NS);
        see_nav(size, s.in.t_ns > LATENCY_NS ? LATENCY_NS : 0);
        see_engines();
        step_kernel();
    }
}

/* ---- what the input does to it ---- */

static void place(fuzz_t *f)
{
    s.pos[0] = fuzz_between(f, -400.0, 400.0);
    s.pos[1] = fuzz_between(f, -400.0, 400.0);
    s.pos[2] = fuzz_between(f, 0.0, 5000.0);
    s.vel[0] = fuzz_between(f, -40.0, 40.0);
    s.vel[1] = 0.0;
    s.vel[2] = -fuzz_between(f, -5.0, 400.0);
}

static void tilt(fuzz_t *f)
{
    for (int32_t i = 0; i < 3; i++) {
        s.axis[i] = fuzz_between(f, -0.4, 0.4) + (i == 2);
        s.omega[i] = fuzz_byte(f) < 200 ? 0.0 : fuzz_between(f, -0.5, 0.5);
    }
}

static void spoil_engine(fk_if_engine_status_t *e, uint32_t which, double value)
{
    double *const number[] = {&e->ox_valve_pos, &e->fuel_valve_pos, &e->chamber_pa, &e->gimbal_x_rad,
                              &e->gimbal_y_rad};
    *number[which % 5u] = value;
}

static void spoil_nav(fk_if_nav_t *n, uint32_t which, double value)
{
    double *const first[] = {n->pos_pad_m, n->vel_pad_mps, n->omega_body_radps, n->force_body_mps2,
                             n->q_pad_from_body};
    double *const vector = first[which % 5u];
    vector[which / 5u % 3u] = value;
    n->height_m = which % 17u == 16u ? value : n->height_m;
}

/* Some frames in which one number of what is seen is anything. */
static void spoil(fuzz_t *f)
{
    const uint32_t frames = 1u + fuzz_byte(f) % 16u;
    const uint32_t place_in_nav = fuzz_byte(f);
    const double value = fuzz_hostile(f);
    for (uint32_t i = 0; i < frames && s.frames < MOST_FRAMES; i++) {
        s.in.t_ns = (int64_t)((uint64_t)s.in.t_ns + FRAME_NS);
        see_nav(0.0, 0);
        see_engines();
        spoil_nav(&s.in.nav, place_in_nav, value);
        if (place_in_nav >= 128) {
            spoil_engine(&s.in.engine[place_in_nav % 3u], place_in_nav / 3u, value);
        }
        step_kernel();
    }
}

static void jump(fuzz_t *f)
{
    const uint8_t how = fuzz_byte(f);
    if (how < 64) {
        s.in.t_ns = fuzz_time(f);
    } else {
        s.in.t_ns = (int64_t)((uint64_t)s.in.t_ns + (uint64_t)(int64_t)fuzz_between(f, -5e9, 5e9));
    }
    if (how % 2) {
        s.in.nav.valid_t_ns = how % 4 == 1 ? s.in.t_ns : fuzz_time(f);
        s.in.nav.fresh = 1;
        step_kernel();
    }
}

/* Frames with old, repeated or disowned navigation. */
static void starve(fuzz_t *f)
{
    const uint32_t how = fuzz_byte(f);
    const int64_t late_ns = (int64_t)fuzz_between(f, 0.0, 1.5e9);
    for (uint32_t i = 0; i < how && s.frames < MOST_FRAMES; i++) {
        move();
        s.in.t_ns = (int64_t)((uint64_t)s.in.t_ns + FRAME_NS);
        if (how % 4 == 3) {
            s.in.nav.valid_t_ns = (int64_t)((uint64_t)s.in.t_ns - (uint64_t)late_ns);
        }
        s.in.nav.fresh = how % 4 != 1;
        s.in.nav.valid = how % 4 != 2;
        see_engines();
        step_kernel();
    }
}

static void trouble(fuzz_t *f)
{
    const uint8_t which = fuzz_byte(f);
    engine_t *e = &s.engine[which % 3];
    e->trouble = which / 3 % 6;
    e->lie = e->trouble == LYING ? fuzz_hostile(f) : (double)fuzz_byte(f);
    e->dark = e->trouble == SILENT && e->lie >= 128.0 ? (int32_t)e->lie - 127 : 0;
}

static void raw_frame(fuzz_t *f)
{
    const int64_t t_ns = s.in.t_ns;
    fuzz_fill(f, &s.in, offsetof(fk_if_input_t, engine) + 3 * sizeof s.in.engine[0]);
    s.in.t_ns = fuzz_byte(f) % 2 ? s.in.t_ns : t_ns;
    step_kernel();
}

static void operate(fuzz_t *f)
{
    switch (fuzz_byte(f) % 12) {
    case 0:
    case 1:
        fly(1 + fuzz_byte(f), 0.0);
        break;
    case 2:
        fly(4 * fuzz_byte(f), 0.2);
        break;
    case 3:
        fly(1 + fuzz_byte(f), fuzz_between(f, 0.0, 100.0));
        break;
    case 4:
    case 5:
        spoil(f);
        break;
    case 6:
        jump(f);
        break;
    case 7:
        starve(f);
        break;
    case 8:
        trouble(f);
        break;
    case 9:
        place(f);
        break;
    case 10:
        tilt(f);
        break;
    default:
        raw_frame(f);
        break;
    }
    s.in.abort = fuzz_byte(f) == 255;
}

/* Numbers of the configuration replaced; those of the engines in use count as often as all the others. */
static void mutate(fuzz_t *f, fk_if_config_t *c)
{
    const size_t first = offsetof(fk_if_config_t, engine) / sizeof(double);
    const size_t used = 3 * sizeof c->engine[0] / sizeof(double);
    const size_t rest = offsetof(fk_if_config_t, mass_kg) / sizeof(double);
    const uint8_t how = fuzz_byte(f);
    const size_t any = fuzz_word(f);
    const size_t slot = how % 2 ? first + any % used : how % 16 ? rest + any % (SLOTS - rest) : any % first;
    double value;
    memcpy(&value, (const char *)c + slot * sizeof value, sizeof value);
    value = how < 128 ? fuzz_hostile(f) : value * fuzz_between(f, 0.2, 3.0);
    memcpy((char *)c + slot * sizeof value, &value, sizeof value);
}

static int32_t configure(fuzz_t *f)
{
    const uint8_t which = fuzz_byte(f);
    const uint8_t changes = fuzz_byte(f);
    memset(&s, 0, sizeof s);
    memcpy(&s.config, fuzz_vehicle[which % FUZZ_VEHICLES], sizeof s.config);
    s.engine_mps2 = s.config.engine[0].thrust_sl_n / (0.95 * s.config.mass_kg);
    s.config.optimise = which / 2 % 4 != 0;
    s.config.ignition_forced = which / 8 % 2;
    s.config.ignition_forced_t_s = fuzz_between(f, 0.0, 20.0);
    for (int32_t i = 160; i < changes; i += 32) {
        mutate(f, &s.config);
    }
    const int32_t refused = fk_init(&s.fk, &s.config);
    FUZZ_HOLDS(refused >= 0 && refused <= 3);
    FUZZ_HOLDS(!refused || changes > 160);
    fuzz_note(refused         ? "configurations_refused"
              : changes > 160 ? "configurations_changed"
                              : "configurations_shipped");
    return !refused;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_t f = {data, size};
    if (!configure(&f)) {
        return 0;
    }
    s.axis[2] = 1.0;
    place(&f);
    while (f.left > 0 && s.frames < MOST_FRAMES) {
        operate(&f);
    }
    return 0;
}
