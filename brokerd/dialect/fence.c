/* fence.c - both fences, or none. */
#include "brokerd/dialect/fence.h"

struct span fence_inside(struct span text)
{
	const struct span fence = SPAN("```");
	struct span rest = span_trim(text);
	if (!span_starts(rest, fence) || !span_ends(rest, fence))
		return text;
	span_cut(&rest, '\n');
	if (rest.n < fence.n)
		return text;
	return span_trim(span_first(rest, rest.n - fence.n));
}
