/* test_pages.c - is a list followed to its end, and no further than is good? */
#include "brokerd/exchange/pages.h"

#include <stdio.h>

#include "tests/lib/tap.h"

static struct arena arena;

static void turn(struct pages *p, const char *more)
{
	if (pages_turn(p, span_str(more), &arena))
		bail("no memory");
}

static bool is_new(struct pages *p, const char *id)
{
	bool is = false;
	if (pages_entry(p, span_str(id), &arena, &is))
		bail("no memory");
	return is;
}

/* A provider that does not know what a page is says each time that there is more. */
static void the_same_again(void)
{
	struct pages p = {.n = 0};
	ok(is_new(&p, "a") && is_new(&p, "b") && is_new(&p, "a"), "of the first page all are new");
	turn(&p, "b");
	ok(is_new(&p, "c") && is_new(&p, "a"), "so are those of one that begins otherwise");
	turn(&p, "a");
	ok(!is_new(&p, "a") && !is_new(&p, "b"), "one that begins like the first has nothing");
	turn(&p, "c");
	ok(!p.has_more && p.is_cut, "and is the last");
}

int main(void)
{
	struct pages p = {.n = 0};
	char name[16] = "two";
	arena_init(&arena, 4096);
	turn(&p, name);
	name[0] = 'x';
	ok(p.has_more && !p.is_cut && span_is(p.at, "two"), "a second page is asked for");
	turn(&p, "three");
	ok(p.has_more && span_is(p.at, "three"), "and a third");
	turn(&p, NULL);
	ok(!p.has_more && !p.is_cut, "the last is the end");
	is_uint(p.n, 3, "of three");

	p = (struct pages){.n = 0};
	turn(&p, "");
	ok(!p.has_more && !p.is_cut, "an empty word goes nowhere");

	p = (struct pages){.n = 0};
	turn(&p, "here");
	turn(&p, "here");
	ok(!p.has_more && p.is_cut, "a page that leads to itself is not asked for again");

	p = (struct pages){.n = 0};
	do {
		(void)snprintf(name, sizeof name, "page %u", p.n);
		turn(&p, name);
	} while (p.has_more);
	is_uint(p.n, PAGES_MAX, "an endless list is left at some time");
	ok(p.is_cut, "which is known");
	the_same_again();
	arena_done(&arena);
	return tap_done();
}
