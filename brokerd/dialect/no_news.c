/* no_news.c - members are marked by their names. */
#include "brokerd/dialect/no_news.h"

#include "brokerd/value/words.h"

void no_news_mark(struct extra *extra, const char *names)
{
	for (size_t i = 0; i < extra->n; i++) {
		if (words_have(span_str(names), extra->members[i].name))
			extra->members[i].is_told = true;
	}
}
