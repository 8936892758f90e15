/* Which problem is solved: for which final time, which switch, and with what drag. */
#include "fk_descent.h"

#include "fk_math.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static_assert(sizeof(fk_descent_t) <= FK_DESCENT_BYTES_MAX, "fk_descent_t has outgrown its stated bound");

#define UNREACHED 1e6 /* merit of a final time out of reach, above that of any within */
#define NOTHING 1e300
#define MISSED 1e-3         /* scaled least miss that is one beyond doubt */
#define GOLDEN 0.381966011  /* share of the longer side */
#define TIME_TOLERANCE 1e-4 /* of the final time, where the search ends */

enum { FINAL, SCAN, PROBE, NODE };

static void pose(fk_descent_t *d, double time_s, int32_t soft)
{
    d->problem.final_time_s = time_s;
    d->probe_s = time_s;
    d->reachable = !soft;
    if (fk_problem_scale(&d->program, &d->problem, soft)) {
        d->status = FK_DESCENT_FAILED;
        return;
    }
    fk_socp_init(&d->socp, &d->program);
}

/* Shortest time that any thrust could do it in, and the longest that propellant lasts for. */
static void time_range(const fk_problem_t *p, double *low, double *high)
{
    double way[3];
    double change[3];
    double least = 0.0;
    double most = 0.0;
    for (int32_t i = 0; i < 3; i++) {
        way[i] = p->final_pos_m[i] - p->pos_m[i];
        change[i] = p->final_vel_mps[i] - p->vel_mps[i];
    }
    for (int32_t k = 0; k < p->nodes; k++) {
        least += p->thrust_min_n[k] / (double)p->nodes;
        most = fk_max(most, p->thrust_max_n[k]);
    }
    const double accel = most / p->dry_mass_kg + fk_norm(p->gravity_mps2);
    const double speed = fk_norm(p->vel_mps);
    const double distance = fk_norm(way);
    *low = fk_max(fk_norm(change) / accel, (sqrt(speed * speed + 2.0 * accel * distance) - speed) / accel);
    *low = fk_max(*low, 0.1);
    const double usable_kg = p->mass_kg - p->dry_mass_kg;
    const double all = usable_kg / (p->mass_flow_s_per_m * fk_max(least, 1e-3 * most));
    const double expandable = (usable_kg + 0.5 * p->dry_mass_kg) / (p->mass_flow_s_per_m * most);
    *high = fk_max(fk_min(all, expandable), *low * 1.1);
}

static void start_scan(fk_descent_t *d)
{
    double low;
    double high;
    time_range(&d->problem, &low, &high);
    const double ratio = fk_exp(fk_log(high / low) / (double)(FK_DESCENT_SCAN - 1));
    for (int32_t i = 0; i < FK_DESCENT_SCAN; i++) {
        d->time_s[i] = low;
        low *= ratio;
    }
    d->phase = SCAN;
    d->count = 0;
    d->best = NOTHING;
    pose(d, d->time_s[0], 0);
}

/* Solves that cannot beat the best end early; one whose drag is still to change could. */
static void set_give_up(fk_descent_t *d)
{
    const double kept = 1.0 - d->best / d->problem.mass_kg;
    if (d->reachable && kept > 0.0 && !(d->problem.drag_area_m2 > 0.0)) {
        d->socp.give_up = -fk_log(kept) / d->program.log_mass;
    }
}

static void set_switch(fk_descent_t *d, int32_t node)
{
    fk_problem_t *p = &d->problem;
    for (int32_t k = 0; k < p->nodes; k++) {
        p->thrust_min_n[k] = k < node ? d->given.thrust_min_n[k] : p->later_thrust_min_n;
        p->thrust_max_n[k] = k < node ? d->given.thrust_max_n[k] : p->later_thrust_max_n;
    }
}

static void start_node(fk_descent_t *d, int32_t node)
{
    d->node = node;
    set_switch(d, node);
    if (d->free_time) {
        d->elastic = d->problem.drag_area_m2 > 0.0; /* the search turns it on where it has to */
        start_scan(d);
        return;
    }
    d->phase = NODE;
    d->best = d->found;
    pose(d, d->given.final_time_s, 0);
    set_give_up(d);
}

static void start_switch(fk_descent_t *d)
{
    d->found = NOTHING;
    d->found_s = d->given.final_time_s;
    d->found_node = 1;
    start_node(d, 1);
}

static void start_final(fk_descent_t *d, double time_s)
{
    d->phase = FINAL;
    d->elastic = 1;
    pose(d, time_s, 0);
}

static void start_search(fk_descent_t *d)
{
    d->elastic = d->problem.drag_area_m2 > 0.0; /* drag needs a motion, if only that of least miss */
    if (d->problem.has_switch) {
        start_switch(d);
    } else if (d->free_time) {
        start_scan(d);
    } else {
        start_final(d, d->problem.final_time_s);
    }
}

void fk_descent_init(fk_descent_t *d, const fk_problem_t *problem, int32_t free_time)
{
    d->problem = *problem;
    d->free_time = free_time;
    d->pass = 0;
    d->settled = 1;
    d->found_node = 0;
    d->status = FK_DESCENT_RUNNING;
    d->iterations = 0;
    d->proven = 0;
    d->socp.program.nodes = 0;
    if (free_time) {
        d->problem.final_time_s = 1.0; /* any: what is checked is the rest */
    }
    if ((free_time || problem->has_switch) && fk_problem_scale(&d->program, &d->problem, 0)) {
        d->status = FK_DESCENT_FAILED;
        return;
    }
    if (problem->has_switch || problem->drag_area_m2 > 0.0) {
        d->given = d->problem;
    }
    start_search(d);
}

/* Smaller is better; propellant first, in kg, then the miss. */
static double merit(const fk_descent_t *d)
{
    if (d->socp.status != FK_SOCP_OPTIMAL || !d->settled) {
        return NOTHING;
    }
    const double cost = fk_socp_cost(&d->socp);
    return d->reachable ? d->problem.mass_kg * (1.0 - fk_exp(-cost * d->program.log_mass))
                        : UNREACHED * (1.0 + cost * d->program.length_m);
}

static void next_node(fk_descent_t *d)
{
    const int32_t end = d->problem.foh ? d->problem.nodes : d->problem.nodes - 1;
    if (d->node + 1 < end) {
        start_node(d, d->node + 1);
    } else if (!(d->found < NOTHING) && !d->elastic) {
        d->elastic = 1;
        start_switch(d);
    } else {
        set_switch(d, d->found_node);
        start_final(d, d->found_s);
    }
}

/* The best final time is found, for the bounds as they are. */
static void end_times(fk_descent_t *d, double found, double time_s)
{
    if (!d->problem.has_switch) {
        start_final(d, time_s);
        return;
    }
    if (found < d->found) {
        d->found = found;
        d->found_s = time_s;
        d->found_node = d->node;
    }
    next_node(d);
}

static void next_probe(fk_descent_t *d)
{
    const double before = d->best_s - d->left_s;
    const double after = d->right_s - d->best_s;
    const double t = before > after ? d->best_s - GOLDEN * before : d->best_s + GOLDEN * after;
    if (d->count >= FK_DESCENT_PROBES || before + after < TIME_TOLERANCE * d->best_s) {
        end_times(d, d->best, d->best_s);
        return;
    }
    d->count++;
    pose(d, t, 0);
    set_give_up(d);
}

static void end_scan(fk_descent_t *d)
{
    int32_t best = 0;
    for (int32_t i = 1; i < FK_DESCENT_SCAN; i++) {
        best = d->merit[i] < d->merit[best] ? i : best;
    }
    d->count = 0;
    if (!(d->merit[best] < NOTHING) && !d->elastic) {
        d->elastic = 1;
        pose(d, d->time_s[0], 0);
        return;
    }
    d->best = d->merit[best];
    d->best_s = d->time_s[best];
    d->left_s = d->time_s[best > 0 ? best - 1 : 0];
    d->right_s = d->time_s[best < FK_DESCENT_SCAN - 1 ? best + 1 : best];
    d->phase = PROBE;
    next_probe(d);
}

static void note(fk_descent_t *d, double found)
{
    if (d->phase == NODE) {
        end_times(d, found, d->probe_s);
        return;
    }
    if (d->phase == SCAN) {
        d->merit[d->count++] = found;
        d->best = fk_min(d->best, found);
        if (d->count == FK_DESCENT_SCAN) {
            end_scan(d);
        } else {
            pose(d, d->time_s[d->count], 0);
            set_give_up(d);
        }
        return;
    }
    if (found < d->best) {
        *(d->probe_s < d->best_s ? &d->right_s : &d->left_s) = d->best_s;
        d->best_s = d->probe_s;
        d->best = found;
    } else {
        *(d->probe_s < d->best_s ? &d->left_s : &d->right_s) = d->probe_s;
    }
    next_probe(d);
}

/* Drag at a node of the last pass's motion. */
static void drag_at(const fk_descent_t *d, int32_t k, double accel_mps2[3])
{
    const double *vel = d->last.vel_mps[k];
    const double density = fk_air_at(d->last.pos_m[k][2]).density_kgpm3;
    const double area = d->problem.drag_area_m2;
    fk_scale(-0.5 * density * area * fk_norm(vel) / d->last.mass_kg[k], vel, accel_mps2);
}

/* Linear between nodes where thrust acceleration is, else the mean of an interval. */
static void set_drag(fk_descent_t *d)
{
    double now[3];
    double then[3];
    for (int32_t k = 0; k < d->problem.nodes; k++) {
        drag_at(d, k, now);
        drag_at(d, d->problem.foh || k + 1 == d->problem.nodes ? k : k + 1, then);
        double *accel = d->problem.accel_mps2[k];
        fk_copy(d->given.accel_mps2[k], accel);
        fk_add_scaled(0.5, now, accel);
        fk_add_scaled(0.5, then, accel);
    }
}

/* 1: drag along the motion just found is to be known in a pass more. */
static int32_t next_pass(fk_descent_t *d)
{
    const int32_t last = d->problem.nodes - 1;
    const double before = d->last.mass_kg[last]; /* not read after the first pass */
    fk_socp_result(&d->socp, &d->last);
    set_drag(d);
    const double mass = d->last.mass_kg[last];
    d->settled = d->pass > 0 && fabs(mass - before) < FK_DESCENT_SETTLED * mass;
    d->pass++;
    return !d->settled && d->pass < FK_DESCENT_PASSES;
}

static void solved(fk_descent_t *d)
{
    const int32_t failed = d->socp.status == FK_SOCP_INFEASIBLE || d->socp.status == FK_SOCP_STALLED;
    if (failed && d->reachable && d->elastic) {
        d->proven = d->socp.status == FK_SOCP_INFEASIBLE;
        pose(d, d->probe_s, 1);
        return;
    }
    if (d->problem.drag_area_m2 > 0.0 && d->socp.status == FK_SOCP_OPTIMAL && next_pass(d)) {
        d->proven = 0;
        pose(d, d->probe_s, 0);
        return;
    }
    if (d->pass > 0) { /* what is tried next starts afresh: its answer is its own */
        memcpy(d->problem.accel_mps2, d->given.accel_mps2, sizeof d->given.accel_mps2);
        d->pass = 0;
    }
    if (d->phase != FINAL) {
        note(d, merit(d));
        return;
    }
    if (d->socp.status != FK_SOCP_OPTIMAL || !d->settled) {
        d->status = FK_DESCENT_FAILED;
    } else if (d->reachable) {
        d->status = FK_DESCENT_OPTIMAL;
    } else { /* a stalled solve proves nothing, a miss does */
        d->status = d->proven || fk_socp_cost(&d->socp) > MISSED ? FK_DESCENT_INFEASIBLE : FK_DESCENT_FAILED;
    }
}

int32_t fk_descent_iterate(fk_descent_t *d, int32_t iterations)
{
    for (int32_t i = 0; i < iterations && d->status == FK_DESCENT_RUNNING; i++) {
        d->iterations++;
        if (fk_socp_iterate(&d->socp, 1) != FK_SOCP_RUNNING) {
            solved(d);
        }
    }
    return d->status;
}

void fk_descent_result(const fk_descent_t *d, fk_answer_t *out)
{
    fk_socp_result(&d->socp, out);
    out->status = d->status;
    out->iterations = d->iterations;
    if (d->problem.has_switch) {
        out->switch_s = out->t_s[d->found_node];
    }
}
