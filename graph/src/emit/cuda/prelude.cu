// What every kernel below uses. The definitions are those of the CPU's kernels (castnet-kernels: math, random, transfer), operation by
// operation: compiled without fused multiply-add (NVRTC: --fmad=false) they give the same bits as its portable ones.
namespace cn {

#define CN_FN static __device__ __forceinline__

// Conversions.

CN_FN float bits_float(unsigned bits) { return __uint_as_float(bits); }
CN_FN double bits_double(unsigned long long bits) { return __longlong_as_double((long long)bits); }
CN_FN float infinity() { return bits_float(0x7f800000u); }
CN_FN float nan() { return bits_float(0x7fc00000u); }
CN_FN bool is_nan(float x) { return x != x; }

// Half precision: IEEE's and the upper half of a float.
struct f16 { unsigned short bits; };
struct bf16 { unsigned short bits; };

CN_FN int get(signed char x) { return x; }
CN_FN int get(unsigned char x) { return x; }
CN_FN int get(short x) { return x; }
CN_FN long long get(unsigned x) { return x; }
CN_FN float get(bf16 x) { return bits_float((unsigned)x.bits << 16); }
CN_FN float get(f16 x) {
    const unsigned sign = (unsigned)x.bits >> 15 << 31, magnitude = x.bits & 0x7fffu;
    // Scaling by 2^112 moves the exponent and makes subnormals normal.
    float value = bits_float(magnitude << 13) * bits_float((127u + 112u) << 23);
    if (magnitude >= 0x7c00u) value = bits_float(0x7f800000u | magnitude << 13 | (magnitude > 0x7c00u ? 0x400000u : 0u));
    return bits_float(__float_as_uint(value) | sign);
}
CN_FN void put(signed char* to, int x) { *to = (signed char)x; }
CN_FN void put(unsigned char* to, int x) { *to = (unsigned char)x; }
CN_FN void put(short* to, int x) { *to = (short)x; }
CN_FN void put(unsigned* to, long long x) { *to = (unsigned)x; }
CN_FN void put(bf16* to, float x) {
    const unsigned bits = __float_as_uint(x), even = bits + (0x7fffu + (bits >> 16 & 1u));
    to->bits = is_nan(x) ? (unsigned short)(bits >> 16 | 0x40u) : (unsigned short)(even >> 16);
}
CN_FN void put(f16* to, float x) {
    const unsigned sign = __float_as_uint(x) >> 16 & 0x8000u, magnitude = __float_as_uint(x) & 0x7fffffffu;
    // Subnormal: in units of 2^-24, rounded by the addition.
    const unsigned small = __float_as_uint(bits_float(magnitude) + 0.5f) - __float_as_uint(0.5f);
    const unsigned rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u) - (112u << 23);
    const unsigned large = rounded >> 13 < 0x7c00u ? rounded >> 13 : 0x7c00u;
    const unsigned value = magnitude < 0x38800000u ? small : large;
    to->bits = (unsigned short)(sign | (magnitude > 0x7f800000u ? (magnitude >> 13 & 0x3ffu) | 0x7e00u : value));
}

// Towards zero, to the nearest end where it does not fit, NaN to 0; then the width is what counts.
CN_FN long long to_i64(double x) {
    return x >= 9223372036854775808.0 ? 0x7fffffffffffffffLL
        : x <= -9223372036854775808.0 ? -0x7fffffffffffffffLL - 1
        : x != x ? 0 : (long long)x;
}
CN_FN long long to_i64(float x) { return to_i64((double)x); }
CN_FN long long to_i64(int x) { return x; }
CN_FN long long to_i64(long long x) { return x; }
CN_FN long long to_i64(bool x) { return x; }
template <typename T> CN_FN int to_i8(T x) { return (signed char)to_i64(x); }
template <typename T> CN_FN int to_u8(T x) { return (unsigned char)to_i64(x); }
template <typename T> CN_FN int to_i16(T x) { return (short)to_i64(x); }
template <typename T> CN_FN int to_i32(T x) { return (int)to_i64(x); }
template <typename T> CN_FN long long to_u32(T x) { return (unsigned)to_i64(x); }
template <typename T> CN_FN bool to_bool(T x) { return x != (T)0; }
template <typename T> CN_FN float to_f32(T x) { return (float)x; }
template <typename T> CN_FN double to_f64(T x) { return (double)x; }
template <typename T> CN_FN float to_f16(T x) { f16 half; put(&half, (float)x); return get(half); }
template <typename T> CN_FN float to_bf16(T x) { bf16 half; put(&half, (float)x); return get(half); }

// The least and the most of a lane.
template <typename T> struct Ends;
template <> struct Ends<float> {
    CN_FN float least() { return -infinity(); }
    CN_FN float most() { return infinity(); }
    CN_FN float nan() { return cn::nan(); }
};
template <> struct Ends<double> {
    CN_FN double least() { return bits_double(0xfff0000000000000ULL); }
    CN_FN double most() { return bits_double(0x7ff0000000000000ULL); }
    CN_FN double nan() { return bits_double(0x7ff8000000000000ULL); }
};
template <> struct Ends<int> {
    CN_FN int least() { return -0x7fffffff - 1; }
};
template <> struct Ends<long long> {
    CN_FN long long least() { return -0x7fffffffffffffffLL - 1; }
};

// Indices.

CN_FN int floor_div(int a, int b) { return a / b - (a % b < 0); }
CN_FN int wrap(int a, int b) { return a % b < 0 ? a % b + b : a % b; }

// Functions that are an instruction or two. Integers wrap.

CN_FN float truth(bool x) { return x ? 1.0f : 0.0f; }
CN_FN float sign(float x) { return truth(x > 0.0f) - truth(x < 0.0f); }
CN_FN double sign(double x) { return (double)(x > 0.0) - (double)(x < 0.0); }
CN_FN int sign(int x) { return (x > 0) - (x < 0); }
CN_FN long long sign(long long x) { return (x > 0) - (x < 0); }
CN_FN float rsqrt(float x) { return 1.0f / sqrtf(x); }
CN_FN double rsqrt(double x) { return 1.0 / sqrt(x); }
CN_FN bool is_nan(double x) { return x != x; }
template <typename T> CN_FN T max(T a, T b) { return a > b || a != a ? a : b; }
template <typename T> CN_FN T min(T a, T b) { return a < b || a != a ? a : b; }
CN_FN int add(int a, int b) { return (int)((unsigned)a + (unsigned)b); }
CN_FN int sub(int a, int b) { return (int)((unsigned)a - (unsigned)b); }
CN_FN int mul(int a, int b) { return (int)((unsigned)a * (unsigned)b); }
CN_FN long long add(long long a, long long b) { return (long long)((unsigned long long)a + (unsigned long long)b); }
CN_FN long long sub(long long a, long long b) { return (long long)((unsigned long long)a - (unsigned long long)b); }
CN_FN long long mul(long long a, long long b) { return (long long)((unsigned long long)a * (unsigned long long)b); }
template <typename T> CN_FN T neg(T a) { return sub((T)0, a); }
template <typename T> CN_FN T abs(T a) { return a < 0 ? neg(a) : a; }
template <typename T> CN_FN T floor_divide(T a, T b) {
    if (b == 0) return 0;
    if (b == -1) return neg(a);
    const T quotient = a / b;
    return a % b != 0 && (a % b < 0) != (b < 0) ? quotient - 1 : quotient;
}
template <typename T> CN_FN T rem_whole(T a, T b) {
    if (b == 0 || b == -1) return 0;
    const T rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}
CN_FN int rem(int a, int b) { return rem_whole(a, b); }
CN_FN long long rem(long long a, long long b) { return rem_whole(a, b); }
CN_FN float rem(float a, float b) {
    const float rest = fmodf(a, b);
    return rest != 0.0f && (b < 0.0f) != (rest < 0.0f) ? rest + b : rest;
}
CN_FN double rem(double a, double b) {
    const double rest = fmod(a, b);
    return rest != 0.0 && (b < 0.0) != (rest < 0.0) ? rest + b : rest;
}
template <typename T> CN_FN T pow_whole(T a, T b) {
    if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 == 0 ? 1 : -1) : 0;
    T result = 1;
    for (T rest = b; rest > 0; rest >>= 1) {
        if (rest & 1) result = mul(result, a);
        a = mul(a, a);
    }
    return result;
}
CN_FN int pow(int a, int b) { return pow_whole(a, b); }
CN_FN long long pow(long long a, long long b) { return pow_whole(a, b); }
CN_FN double pow(double a, double b) { return ::pow(a, b); }
CN_FN int shift_left(int a, int b) { return b < 0 || b > 31 ? 0 : (int)((unsigned)a << b); }
CN_FN int shift_right(int a, int b) { return a >> (b < 0 || b > 31 ? 31 : b); }
CN_FN long long shift_left(long long a, long long b) { return b < 0 || b > 63 ? 0 : (long long)((unsigned long long)a << b); }
CN_FN long long shift_right(long long a, long long b) { return a >> (b < 0 || b > 63 ? 63 : b); }

// Of doubles, those of the platform's library; the error function is below.
CN_FN double exp(double x) { return ::exp(x); }
CN_FN double log(double x) { return ::log(x); }
CN_FN double log1p(double x) { return ::log1p(x); }
CN_FN double expm1(double x) { return ::expm1(x); }
CN_FN double tanh(double x) { return ::tanh(x); }
CN_FN double sigmoid(double x) { return 1.0 / (1.0 + ::exp(-x)); }
CN_FN double sin(double x) { return ::sin(x); }
CN_FN double cos(double x) { return ::cos(x); }

// Exponential, logarithm and what is made of them.

CN_FN float power_of_two(int n) { return bits_float(((unsigned)n + 127u) << 23); }

// Cody-Waite: e^x = 2^n * e^r with |r| <= ln 2 / 2. What is left is r, p with e^r = 1 + r + p * r^2, and the two halves of n.
struct Reduced { float r, p; int half, rest; };
CN_FN Reduced reduced(float x) {
    const float round = 12582912.0f;
    if (x < -105.0f) x = -105.0f;
    if (x > 90.0f) x = 90.0f;
    const float shifted = x * 1.4426950408889634f + round;
    const float n = shifted - round;
    float r = n * -0.6933594f + x;
    r = n * 2.1219444e-4f + r;
    float p = 1.9875691e-4f;
    p = p * r + 1.3981999e-3f;
    p = p * r + 8.333452e-3f;
    p = p * r + 4.1665796e-2f;
    p = p * r + 1.6666665e-1f;
    p = p * r + 0.5f;
    // 2^n in two factors, so that neither leaves the range where the result overflows or is subnormal.
    const int whole = (int)(__float_as_uint(shifted) - __float_as_uint(round));
    const int half = whole >> 1;
    return Reduced{r, p, half, whole - half};
}
CN_FN float exp(float x) {
    const Reduced e = reduced(x);
    const float y = e.p * (e.r * e.r) + (e.r + 1.0f);
    return y * power_of_two(e.half) * power_of_two(e.rest);
}

// 2^n (e^r - 1) + 2^n - 1, whose first part is small where x is.
CN_FN float expm1(float x) {
    const Reduced e = reduced(x);
    const float less = e.p * (e.r * e.r) + e.r;
    const float scale = power_of_two(e.half);
    const float y = (less * scale + (scale - power_of_two(-e.rest))) * power_of_two(e.rest);
    return x == 0.0f ? x : y;
}

// x = 2^n * m with m in [sqrt(1/2), sqrt(2)); log x = n * ln 2 + log m.
CN_FN float log(float x) {
    const bool subnormal = x < 1.1754944e-38f;
    const float scaled = subnormal ? x * 8388608.0f : x;
    const unsigned bits = __float_as_uint(scaled) - 0x3f3504f3u;
    const float n = (float)((int)bits >> 23) - (subnormal ? 23.0f : 0.0f);
    const float f = bits_float((bits & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    const float z = f * f;
    float p = 7.0376836e-2f;
    p = p * f - 1.151461e-1f;
    p = p * f + 1.1676999e-1f;
    p = p * f - 1.2420141e-1f;
    p = p * f + 1.4249323e-1f;
    p = p * f - 1.6668057e-1f;
    p = p * f + 2.0000715e-1f;
    p = p * f - 2.4999994e-1f;
    p = p * f + 3.333333e-1f;
    float y = n * -2.1219444e-4f + p * f * z;
    y = z * -0.5f + y + f;
    y = n * 0.6933594f + y;
    // Infinity and NaN pass, zero gives minus infinity, what is below gives NaN.
    if (!(x < infinity())) y = x;
    if (x == 0.0f) y = -infinity();
    return x < 0.0f ? nan() : y;
}

// log u of u = 1 + x as it was rounded, and what rounding lost.
CN_FN float log1p(float x) {
    const float u = 1.0f + x;
    const float y = log(u);
    const float lost = y + (x - (u - 1.0f)) / u;
    return x == 0.0f ? x : u > 0.0f && x < 16777216.0f ? lost : y;
}

// A rational function, exact to a few units for all x.
CN_FN float tanh(float x) {
    float c = x > 7.905311f ? 7.905311f : x;
    if (c < -7.905311f) c = -7.905311f;
    const float z = c * c;
    float p = -2.7607685e-16f;
    p = p * z + 2.000188e-13f;
    p = p * z - 8.604672e-11f;
    p = p * z + 5.1222971e-8f;
    p = p * z + 1.4857224e-5f;
    p = p * z + 6.3726193e-4f;
    p = p * z + 4.8935246e-3f;
    float q = 1.1982584e-6f;
    q = q * z + 1.1853471e-4f;
    q = q * z + 2.2684346e-3f;
    q = q * z + 4.893525e-3f;
    float y = c * p / q;
    if (fabsf(x) < 4e-4f) y = x;
    return fabsf(x) >= 9.010913f ? copysignf(1.0f, x) : y;
}

// By the exponential of -|x|, which never overflows.
CN_FN float sigmoid(float x) {
    const float e = exp(-fabsf(x));
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

// A rational function.
CN_FN float erf(float x) {
    float c = x > 3.832507f ? 3.832507f : x;
    if (c < -3.832507f) c = -3.832507f;
    const float z = c * c;
    float p = -2.7261423e-10f;
    p = p * z + 2.7706813e-8f;
    p = p * z - 2.101024e-6f;
    p = p * z - 5.6925063e-5f;
    p = p * z - 7.3499063e-4f;
    p = p * z - 2.9546e-3f;
    p = p * z - 1.6096033e-2f;
    float q = -1.4566072e-5f;
    q = q * z - 2.1337406e-4f;
    q = q * z - 1.682827e-3f;
    q = q * z - 7.3733292e-3f;
    q = q * z - 1.4264739e-2f;
    // In this order, as p * x may be subnormal.
    const float y = p / q * c;
    return fabsf(x) > 3.832507f ? copysignf(1.0f, x) : y;
}

// e^x of -36 <= x <= 0, where 2^n * e^r needs no special cases: ln 2 in two parts (Cody-Waite), then the Taylor series.
CN_FN double exp_below(double x) {
    const double round = 6755399441055744.0;
    const double shifted = x * 1.4426950408889634 + round;
    const double n = shifted - round;
    const double r = x - n * 0.6931471803691238 - n * 1.9082149292705877e-10;
    double e = 1.0 / 479001600.0;
    e = e * r + 1.0 / 39916800.0;
    e = e * r + 1.0 / 3628800.0;
    e = e * r + 1.0 / 362880.0;
    e = e * r + 1.0 / 40320.0;
    e = e * r + 1.0 / 5040.0;
    e = e * r + 1.0 / 720.0;
    e = e * r + 1.0 / 120.0;
    e = e * r + 1.0 / 24.0;
    e = e * r + 1.0 / 6.0;
    e = e * r + 0.5;
    e = e * r + 1.0;
    e = e * r + 1.0;
    // The low bits of `shifted` hold n; moved into the exponent they scale by its power of two.
    return e * bits_double(((unsigned long long)__double_as_longlong(shifted) + 1023ULL) << 52);
}

// x + x * p/q of x^2 below 0.84375 (the coefficients of msun's s_erf.c), 1 - e^(-x^2) * p/q of |x| above it (those of W. J. Cody, Rational
// Chebyshev approximations for the error function, 1969).
CN_FN double erf(double x) {
    const double a = fabs(x);
    if (!(a >= 0.84375)) {
        const double z = x * x;
        double p = -2.3763016656650163e-5;
        p = p * z - 5.770270296489442e-3;
        p = p * z - 2.848174957559851e-2;
        p = p * z - 3.250421072470015e-1;
        p = p * z + 1.2837916709551256e-1;
        double q = -3.960228278775368e-6;
        q = q * z + 1.3249473800432164e-4;
        q = q * z + 5.081306281875766e-3;
        q = q * z + 6.502224998876729e-2;
        q = q * z + 3.9791722395915535e-1;
        q = q * z + 1.0;
        return x + x * (p / q);
    }
    // From 6 on the nearest double is 1.
    const double c = a > 6.0 ? 6.0 : a;
    double p = 2.1531153547440385e-8;
    p = p * c + 5.641884969886701e-1;
    p = p * c + 8.883149794388376;
    p = p * c + 6.611919063714163e1;
    p = p * c + 2.986351381974001e2;
    p = p * c + 8.81952221241769e2;
    p = p * c + 1.7120476126340706e3;
    p = p * c + 2.0510783778260715e3;
    p = p * c + 1.2303393547979972e3;
    double q = c + 1.5744926110709835e1;
    q = q * c + 1.176939508913125e2;
    q = q * c + 5.371811018620099e2;
    q = q * c + 1.6213895745666902e3;
    q = q * c + 3.2907992357334596e3;
    q = q * c + 4.362619090143247e3;
    q = q * c + 3.4393676741437216e3;
    q = q * c + 1.2303393548037495e3;
    return copysign(1.0 - exp_below(-c * c) * (p / q), x);
}

// a^y of a >= 0, in double precision: exp2(y * log2 a).
CN_FN float power(double a, double y) {
    const unsigned long long sqrt_half = 0x3fe6a09e667f3bcdULL;
    const unsigned long long bits = (unsigned long long)__double_as_longlong(a) - sqrt_half;
    const double n = (double)((int)(unsigned)(bits >> 32) >> 20);
    const double m = bits_double((bits & 0x000fffffffffffffULL) + sqrt_half);
    const double s = (m - 1.0) / (m + 1.0);
    const double z = s * s;
    double p = 1.0 / 13.0;
    p = p * z + 1.0 / 11.0;
    p = p * z + 1.0 / 9.0;
    p = p * z + 1.0 / 7.0;
    p = p * z + 1.0 / 5.0;
    p = p * z + 1.0 / 3.0;
    p = p * z + 1.0;
    double log2 = s * p * (2.0 * 1.4426950408889634) + n;
    if (a == 0.0) log2 = -(double)infinity();
    if (a == (double)infinity()) log2 = (double)infinity();
    double t = y * log2;
    if (t > 200.0) t = 200.0;
    if (t < -200.0) t = -200.0;
    const double round = 6755399441055744.0;
    const double shifted = t + round;
    const double r = (t - (shifted - round)) * 0.6931471805599453;
    double e = 1.0 / 40320.0;
    e = e * r + 1.0 / 5040.0;
    e = e * r + 1.0 / 720.0;
    e = e * r + 1.0 / 120.0;
    e = e * r + 1.0 / 24.0;
    e = e * r + 1.0 / 6.0;
    e = e * r + 0.5;
    e = e * r + 1.0;
    e = e * r + 1.0;
    // The low bits of `shifted` hold the integer; moved into the exponent they scale by its power of two.
    const double scale = bits_double(((unsigned long long)__double_as_longlong(shifted) + 1023ULL) << 52);
    return (float)(e * scale);
}

// With the special cases of C.
CN_FN float pow(float x, float y) {
    const float magnitude = power((double)fabsf(x), (double)y);
    const bool whole = truncf(y) == y, odd = whole && truncf(y * 0.5f) != y * 0.5f;
    float result = __float_as_uint(x) >> 31 == 1u && odd ? -magnitude : magnitude;
    if (x < 0.0f && x != -infinity() && !whole) result = nan();
    if (is_nan(x) || is_nan(y)) result = nan();
    return y == 0.0f || x == 1.0f || (x == -1.0f && fabsf(y) == infinity()) ? 1.0f : result;
}

// Sine and cosine: reduced to a quarter turn in double precision, or in whole numbers where x is large, then short polynomials.
CN_FN unsigned long long two_by_pi(unsigned word) {
    return word == 0u ? 0xa2f9836eu : word == 1u ? 0x4e441529u : word == 2u ? 0xfc2757d1u
        : word == 3u ? 0xf534ddc0u : word == 4u ? 0xdb629599u : 0x3c439041u;
}
// Of |x| >= 2^27, by Payne and Hanek: of 2^e * 2/pi only what is less than 4 counts, as x / 2^e is whole.
CN_FN float far(float x, unsigned* turn) {
    const unsigned bits = __float_as_uint(x), m = (bits & 0x007fffffu) | 0x00800000u;
    const unsigned exponent = bits >> 23 & 0xffu, first = (exponent > 152u ? exponent : 152u) - 152u;
    const unsigned word = first >> 5, shift = first & 31u;
    const unsigned long long a = two_by_pi(word), b = two_by_pi(word + 1u), c = two_by_pi(word + 2u);
    const unsigned high = (unsigned)((a << 32 | b) << shift >> 32);
    const unsigned long long low = (b << 32 | c) << shift >> 32;
    const unsigned turns = m * high + (unsigned)((unsigned long long)m * low >> 32);
    const unsigned quarter = (turns + (1u << 29)) >> 30;
    const float rest = (float)(int)(turns - (quarter << 30)) * (1.5707964f / 1073741824.0f);
    const bool negative = bits >> 31 == 1u;
    *turn = negative ? 0u - quarter : quarter;
    return negative ? -rest : rest;
}
CN_FN float quarter(float x, unsigned turn) {
    const double round = 6755399441055744.0;
    const double shifted = (double)x * 0.6366197723675814 + round;
    const double n = shifted - round;
    // pi/2 in two parts, the first of 33 bits, so that its product with n is exact for long.
    double rest = n * -1.5707963267341256 + (double)x;
    rest = n * -6.077100506506192e-11 + rest;
    unsigned turns = (unsigned)__double_as_longlong(shifted);
    float r = (float)rest;
    if (fabsf(x) >= 134217728.0f && fabsf(x) < infinity()) r = far(x, &turns);
    const float z = r * r;
    turn += turns;
    float s = -1.9515296e-4f;
    s = s * z + 8.332161e-3f;
    s = s * z - 1.6666655e-1f;
    s = s * z * r + r;
    float c = 2.4433157e-5f;
    c = c * z - 1.3887316e-3f;
    c = c * z + 4.1666646e-2f;
    c = c * z * z + (z * -0.5f + 1.0f);
    return bits_float(__float_as_uint((turn & 1u) == 0u ? s : c) ^ (turn & 2u) << 30);
}
CN_FN float sin(float x) { return quarter(x, 0u); }
CN_FN float cos(float x) { return quarter(x, 1u); }

// What changes from step to step: the CPU's kernels read the same struct, which says what the fields are.
struct StepScalars {
    unsigned long long root, call;
    double factor, bound;
    float scale;
    unsigned padding;
};

// Counter-based random numbers: Philox4x32-10. Number `index` of a stream in a call, uniform in [0, 1).
CN_FN float random(const StepScalars* scalars, unsigned stream, unsigned long long index) {
    const unsigned long long call = scalars->call;
    unsigned long long key = scalars->root ^ stream;
    key = (key ^ (key >> 30)) * 0xBF58476D1CE4E5B9ULL;
    key = (key ^ (key >> 27)) * 0x94D049BB133111EBULL;
    key ^= key >> 31;
    unsigned c[4] = {(unsigned)(index >> 2), (unsigned)(index >> 34), (unsigned)call, (unsigned)(call >> 32)};
    unsigned k[2] = {(unsigned)key, (unsigned)(key >> 32)};
#pragma unroll
    for (int round = 0; round < 10; ++round) {
        const unsigned long long a = 0xD2511F53ULL * c[0], b = 0xCD9E8D57ULL * c[2];
        const unsigned second = c[1], fourth = c[3];
        c[0] = (unsigned)(b >> 32) ^ second ^ k[0];
        c[1] = (unsigned)b;
        c[2] = (unsigned)(a >> 32) ^ fourth ^ k[1];
        c[3] = (unsigned)a;
        k[0] += 0x9E3779B9u;
        k[1] += 0xBB67AE85u;
    }
    const int word = (int)(index & 3ULL);
    const unsigned drawn = word == 0 ? c[0] : word == 1 ? c[1] : word == 2 ? c[2] : c[3];
    return (float)(drawn >> 8) * (1.0f / 16777216.0f);
}

// Reductions of one value a thread by `F::of`, in an order that depends on the block's shape only; every thread gets the result.

// Over the threads of a warp.
template <typename F, typename T> CN_FN T over_warp(T x) {
    for (int far = 16; far > 0; far >>= 1) x = F::of(x, __shfl_xor_sync(0xffffffffu, x, far));
    return x;
}

// Over the 256 threads of a block.
template <typename F, typename T> CN_FN T over_block(T x) {
    __shared__ T parts[8];
    x = over_warp<F>(x);
    if ((threadIdx.x & 31u) == 0u) parts[threadIdx.x >> 5] = x;
    __syncthreads();
    x = F::of(F::of(F::of(parts[0], parts[1]), F::of(parts[2], parts[3])),
              F::of(F::of(parts[4], parts[5]), F::of(parts[6], parts[7])));
    __syncthreads();
    return x;
}

// Over the threads of a block with the same threadIdx.x, of a block of 32 columns.
template <typename F, typename T> CN_FN T over_column(T x) {
    __shared__ T parts[32][32];
    parts[threadIdx.y][threadIdx.x] = x;
    __syncthreads();
    for (unsigned half = blockDim.y / 2u; half > 0u; half /= 2u) {
        if (threadIdx.y < half) {
            x = F::of(x, parts[threadIdx.y + half][threadIdx.x]);
            parts[threadIdx.y][threadIdx.x] = x;
        }
        __syncthreads();
    }
    x = parts[0][threadIdx.x];
    __syncthreads();
    return x;
}

} // namespace cn
