/* no_news.h - which extra members do other families miss nothing by?
 * Some are only what an answer said of itself, or what a caller's library noted there, and come back with
 * it: the family that wrote them gets them again, and no other needs a warning that it does not. */
#ifndef BROKERD_DIALECT_NO_NEWS_H
#define BROKERD_DIALECT_NO_NEWS_H
#include "protocol/request.h"

/* Marks those of these names, which have commas between: "id,status". */
void no_news_mark(struct extra *extra, const char *names);

#endif
