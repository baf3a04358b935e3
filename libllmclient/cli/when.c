/* when.c - a duration counts back from now; a day is the caller's own. */
#include "libllmclient/cli/when.h"

#include <time.h>

#include "protocol/base/num.h"

bool read_time(const char *text, int64_t *to)
{
	struct tm day = {.tm_isdst = -1};
	int64_t us;
	const char *end = strptime(text, "%Y-%m-%d", &day);
	if (end && *end == '\0') {
		*to = mktime(&day);
		return *to >= 0;
	}
	if (!num_duration_us(span_str(text), &us))
		return false;
	*to = (int64_t)time(NULL) - us / 1000000;
	return true;
}
