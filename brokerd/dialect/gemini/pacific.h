/* pacific.h - when is Google's day over?
 * Its quotas of a day begin anew at midnight in Los Angeles. Pure arithmetic on seconds since 1970. */
#ifndef BROKERD_DIALECT_GEMINI_PACIFIC_H
#define BROKERD_DIALECT_GEMINI_PACIFIC_H
#include <stdint.h>

/* The first midnight there after `now_s` (0 or more). */
int64_t pacific_midnight_s(int64_t now_s);

#endif
