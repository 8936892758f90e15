#include "fk_math.h"

#include <math.h>
#include <string.h>

double fk_min(double a, double b)
{
    return a < b ? a : b;
}

double fk_max(double a, double b)
{
    return a > b ? a : b;
}

double fk_clamp(double x, double low, double high)
{
    if (!(x > low)) {
        return low;
    }
    return x < high ? x : high;
}

double fk_sin(double x)
{
    const double y = x * x;
    return x
           * (1.0
              - y / 6.0
                    * (1.0
                       - y / 20.0
                             * (1.0
                                - y / 42.0
                                      * (1.0
                                         - y / 72.0
                                               * (1.0
                                                  - y / 110.0 * (1.0 - y / 156.0 * (1.0 - y / 210.0)))))));
}

double fk_cos(double x)
{
    const double y = x * x;
    return 1.0
           - y / 2.0
                 * (1.0
                    - y / 12.0
                          * (1.0
                             - y / 30.0
                                   * (1.0
                                      - y / 56.0
                                            * (1.0
                                               - y / 90.0
                                                     * (1.0
                                                        - y / 132.0
                                                              * (1.0 - y / 182.0 * (1.0 - y / 240.0)))))));
}

/* Abramowitz & Stegun 4.4.49. */
double fk_atan(double x)
{
    const double z = fk_clamp(x, -1.0, 1.0);
    const double y = z * z;
    return z
           * (0.9999993329
              + y
                    * (-0.3332985605
                       + y
                             * (0.1994653599
                                + y
                                      * (-0.1390853351
                                         + y
                                               * (0.0964200441
                                                  + y
                                                        * (-0.0559098861
                                                           + y * (0.0218612288 - y * 0.0040540580)))))));
}

#define LN2_HIGH 0.693147180369123816490 /* 20 low bits are zero: k LN2_HIGH is exact for |k| < 2^20 */
#define LN2_LOW 1.90821492927058770002e-10
#define ROOT_HALF 0.70710678118654752440
#define EXP_TERMS 15
#define LOG_TERMS 12

static double power_of_two(int64_t k)
{
    const uint64_t bits = (uint64_t)(k + 1023) << 52;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

double fk_exp(double x)
{
    const double y = fk_clamp(x, -700.0, 700.0);
    const double k = y / (LN2_HIGH + LN2_LOW);
    const int64_t n = (int64_t)(k < 0.0 ? k - 0.5 : k + 0.5);
    const double r = (y - (double)n * LN2_HIGH) - (double)n * LN2_LOW;
    double sum = 1.0;
    for (int32_t i = EXP_TERMS; i > 0; i--) { /* Taylor, Horner's scheme */
        sum = 1.0 + r / (double)i * sum;
    }
    return sum * power_of_two(n);
}

double fk_log(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int64_t n = (int64_t)(bits >> 52) - 1022;
    bits = (bits & 0x000FFFFFFFFFFFFFu) | ((uint64_t)1022 << 52);
    double m; /* 0.5 to 1 */
    memcpy(&m, &bits, sizeof m);
    if (m < ROOT_HALF) {
        m *= 2.0;
        n -= 1;
    }
    const double s = (m - 1.0) / (m + 1.0);
    double sum = 0.0;
    for (int32_t i = LOG_TERMS; i > 0; i--) { /* 2 atanh(s) */
        sum = sum * s * s + 1.0 / (double)(2 * i - 1);
    }
    return (double)n * LN2_HIGH + ((double)n * LN2_LOW + 2.0 * s * sum);
}

int32_t fk_all_finite(const double *x, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        if (!isfinite(x[i])) {
            return 0;
        }
    }
    return 1;
}

double fk_dot(const double a[3], const double b[3])
{
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

double fk_norm(const double a[3])
{
    return sqrt(fk_dot(a, a));
}

void fk_cross(const double a[3], const double b[3], double out[3])
{
    out[0] = a[1] * b[2] - a[2] * b[1];
    out[1] = a[2] * b[0] - a[0] * b[2];
    out[2] = a[0] * b[1] - a[1] * b[0];
}

fk_air_t fk_air_at(double height_m)
{
    /* theta = 1 - x, p ~ theta^5.2559, rho ~ theta^4.2559; the broken power 0.2559 by its series */
    const double x = fk_clamp(2.25577e-5 * height_m, 0.0, 0.30);
    const double theta = 1.0 - x;
    const double theta4 = theta * theta * theta * theta;
    const double rest = 1.0 - 0.2559 * x - 0.0952 * x * x - 0.0553 * x * x * x;
    const fk_air_t air = {theta, theta4 * theta * rest, 1.225 * theta4 * rest};
    return air;
}

void fk_copy(const double a[3], double out[3])
{
    for (int32_t i = 0; i < 3; i++) {
        out[i] = a[i];
    }
}

void fk_scale(double s, const double a[3], double out[3])
{
    for (int32_t i = 0; i < 3; i++) {
        out[i] = s * a[i];
    }
}

void fk_add_scaled(double s, const double a[3], double out[3])
{
    for (int32_t i = 0; i < 3; i++) {
        out[i] += s * a[i];
    }
}

void fk_rotate(const double q[4], const double v_body[3], double v_pad[3])
{
    double t[3];
    double u[3];
    fk_cross(&q[1], v_body, t);
    fk_scale(2.0, t, t);
    fk_cross(&q[1], t, u);
    for (int32_t i = 0; i < 3; i++) {
        v_pad[i] = v_body[i] + q[0] * t[i] + u[i];
    }
}

void fk_rotate_back(const double q[4], const double v_pad[3], double v_body[3])
{
    const double conjugate[4] = {q[0], -q[1], -q[2], -q[3]};
    fk_rotate(conjugate, v_pad, v_body);
}

static void normalise(double q[4])
{
    const double n = sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
    if (!(n > 1e-6)) {
        q[0] = 1.0;
        q[1] = q[2] = q[3] = 0.0;
        return;
    }
    for (int32_t i = 0; i < 4; i++) {
        q[i] /= n;
    }
}

double fk_drag_mps2(double area_m2, double density_kgpm3, double speed_mps, double mass_kg)
{
    return 0.5 * density_kgpm3 * area_m2 * speed_mps * speed_mps / mass_kg;
}

double fk_lateral_law_mps2(double pos_m, double vel_mps, double time_s)
{
    return -12.0 * pos_m / (time_s * time_s) - 6.0 * vel_mps / time_s;
}

void fk_swing_ahead(const fk_across_t *across, int32_t axis, double dt, double tilt, double swing,
                    double *pos, double *vel)
{
    const double before = fk_clamp(across->change_s, 0.0, dt);
    const double part[2] = {before, dt - before};
    for (int32_t i = 0; i < 2; i++) {
        const double t = part[i];
        const double push = across->push_mps2[i];
        const double now = push * (tilt + t / 3.0 * swing) + across->side_pad_mps2[i][axis];
        *pos = *pos + t * *vel + 0.5 * t * t * now;
        *vel = *vel + t * (now + t / 6.0 * push * swing);
        tilt += t * swing;
    }
}

void fk_turn(double q[4], const double omega_body[3], double dt)
{
    const double *w = omega_body;
    const double h = 0.5 * dt;
    const double p[4] = {q[0], q[1], q[2], q[3]};
    q[0] += h * (-p[1] * w[0] - p[2] * w[1] - p[3] * w[2]);
    q[1] += h * (p[0] * w[0] + p[2] * w[2] - p[3] * w[1]);
    q[2] += h * (p[0] * w[1] + p[3] * w[0] - p[1] * w[2]);
    q[3] += h * (p[0] * w[2] + p[1] * w[1] - p[2] * w[0]);
    normalise(q);
}

void fk_nudge(double q[4], const double measured[4], double gain)
{
    const double d = q[0] * measured[0] + q[1] * measured[1] + q[2] * measured[2] + q[3] * measured[3];
    const double sign = d < 0.0 ? -1.0 : 1.0; /* q and -q are the same attitude */
    for (int32_t i = 0; i < 4; i++) {
        q[i] += gain * (sign * measured[i] - q[i]);
    }
    normalise(q);
}
