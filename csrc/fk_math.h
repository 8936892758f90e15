/* fk_math.h - vectors, quaternions and the few functions that the kernel needs.
 *
 * No function here uses the C library but for sqrt, which IEEE 754 defines to the last bit: results are
 * the same on every machine that follows it, with -ffp-contract=off. */
#ifndef FK_MATH_H
#define FK_MATH_H

#include <stdint.h>

#define FK_G0 9.80665
#define FK_PI 3.14159265358979323846

double fk_clamp(double x, double low, double high); /* NaN becomes low */
double fk_min(double a, double b);
double fk_max(double a, double b);
double fk_sin(double x);  /* |x| <= pi/2, error < 1e-11 */
double fk_cos(double x);  /* |x| <= pi/2, error < 1e-12 */
double fk_atan(double x); /* error < 1e-7 rad for |x| <= 1, clamped beyond */
double fk_exp(double x);  /* relative error < 1e-15, |x| clamped to 700 */
double fk_log(double x);  /* x normal and > 0, error < 1e-15 relative or absolute */
int32_t fk_all_finite(const double *x, int32_t n);

typedef struct {
    double theta;          /* temperature over that of the ground */
    double pressure_ratio; /* over sea level */
    double density_kgpm3;
} fk_air_t;

/* US Standard Atmosphere 1976, troposphere, standard day. */
fk_air_t fk_air_at(double height_m);

double fk_dot(const double a[3], const double b[3]);
double fk_norm(const double a[3]);
void fk_cross(const double a[3], const double b[3], double out[3]);
void fk_copy(const double a[3], double out[3]);
void fk_scale(double s, const double a[3], double out[3]);
void fk_add_scaled(double s, const double a[3], double out[3]); /* out += s a */

void fk_rotate(const double q[4], const double v_body[3], double v_pad[3]);
void fk_rotate_back(const double q[4], const double v_pad[3], double v_body[3]);

/* Drag over mass at a speed through air of that density. */
double fk_drag_mps2(double area_m2, double density_kgpm3, double speed_mps, double mass_kg);

/* Klumpp's quadratic law (1974, eq. 10) along one axis: to rest, without acceleration, at zero in time_s. */
double fk_lateral_law_mps2(double pos_m, double vel_mps, double time_s);

/* Specific forces across the stage: `push` follows its tilt, `side` acts besides; [0] until change_s from
 * now, when other engines burn, [1] after it. */
typedef struct {
    double change_s;
    double push_mps2[2];
    double side_pad_mps2[2][3];
} fk_across_t;

/* Position and velocity along one axis after dt, the tilt towards it swinging on as it does now. */
void fk_swing_ahead(const fk_across_t *across, int32_t axis, double dt, double tilt, double swing,
                    double *pos, double *vel);
void fk_turn(double q[4], const double omega_body[3], double dt);  /* q advanced by omega dt */
void fk_nudge(double q[4], const double measured[4], double gain); /* q drawn towards measured */

#endif
