/* test_stage.c - when is a transfer late, and with what? In virtual time. */
#include "brokerd/transport/stage.h"

#include "tests/lib/loop_virtual.h"
#include "tests/lib/tap.h"

#define MS INT64_C(1000)

static struct loop *loop;
static const char *late; /* with this limit */
static int64_t late_us;
static int n_late;

static void on_late(struct stages *s, const char *limit)
{
	late = limit;
	late_us = loop_now_us(loop) - s->began_us;
	n_late++;
	stages_stop(s);
}

static const struct transfer_limits limits = {
	.connect_us = 100 * MS,
	.first_byte_us = 500 * MS,
	.idle_us = 50 * MS,
	.total_us = 2000 * MS,
};

static void begin(struct stages *s, const struct transfer_limits *l)
{
	*s = (struct stages){.on_late = on_late};
	late = "";
	n_late = 0;
	late_us = -1;
	stages_start(s, loop, l);
}

/* A story: c connected, s sent, h head, b bytes, p pause, r resume, each after `step_us`. */
static const struct {
	const char *name, *story;
	int64_t step_us;
	const char *late;
	int64_t late_us;
} rows[] = {
	{"never connected",                "",                          0,       "connect",    100 * MS          },
	{"connected, nothing goes out",    "c",                         10 * MS, "send",       510 * MS          },
	{"bytes go out, then stop",        "cbb",                       10 * MS, "send",       530 * MS          },
	{"sent, no answer",                "cs",                        10 * MS, "first_byte", 520 * MS          },
	{"header lines are no head",       "csbbbb",                    10 * MS, "first_byte", 520 * MS          },
	{"head, no body",                  "csh",                       10 * MS, "idle",       80 * MS           },
	{"bytes, then silence",            "cshbbbb",                   40 * MS, "idle",       (7 * 40 + 50) * MS},
	{"a pause is no silence",          "cshp",                      10 * MS, "total",      2000 * MS         },
	{"resumed and silent",             "cshpr",                     45 * MS, "idle",       (5 * 45 + 50) * MS},
	{"a drip is stopped by the total",
         "cshbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", 49 * MS, "total",
         2000 * MS											       },
};

static void play(struct stages *s, const char *story, int64_t step_us)
{
	for (const char *p = story; *p && n_late == 0; p++) {
		loop_virtual_advance(loop, step_us);
		if (n_late)
			break;
		switch (*p) {
		case 'c':
			stages_enter(s, STAGE_SEND);
			break;
		case 's':
			stages_enter(s, STAGE_WAIT);
			break;
		case 'h':
			stages_enter(s, STAGE_BODY);
			break;
		case 'b':
			stages_moved(s);
			break;
		default:
			stages_pause(s, *p == 'p');
		}
	}
}

static void each_story(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct stages s;
		begin(&s, &limits);
		play(&s, rows[i].story, rows[i].step_us);
		loop_virtual_advance(loop, 10000 * MS);
		is_str(late, rows[i].late, "%s: the limit", rows[i].name);
		is_int(late_us, rows[i].late_us, "%s: the time", rows[i].name);
		is_int(n_late, 1, "%s: said once", rows[i].name);
		is_uint(loop_virtual_timers(loop), 0, "%s: no timer is left", rows[i].name);
	}
}

static void no_limits(void)
{
	static const struct transfer_limits none;
	struct stages s;
	begin(&s, &none);
	play(&s, "csh", 10 * MS);
	loop_virtual_advance(loop, 1000000 * MS);
	is_int(n_late, 0, "without limits nothing is late");
	is_int(s.connect_us, 10 * MS, "the way there was timed");
	is_int(s.first_byte_us, 30 * MS, "and the head");
	stages_enter(&s, STAGE_SEND);
	ok(s.at == STAGE_BODY, "there is no way back");
	stages_stop(&s);
	stages_stop(&s);
}

static int64_t tcp_us; /* since the beginning: when TCP is done */
static int n_looks;

static bool is_past_tcp(struct stages *s)
{
	n_looks++;
	return loop_now_us(loop) - s->began_us >= tcp_us;
}

/* Which limit ends what is stuck in TCP or in TLS, and when. It is seen a quarter of tls_us later at the most. */
static const struct {
	const char *name;
	int64_t connect_us, tls_us, tcp_us;
	const char *late;
	int64_t late_us;
	int most_looks;
} handshakes[] = {
	{"TLS that stalls",                  10000 * MS, 400 * MS,   0,         "tls",     500 * MS,   1 },
	{"after a slow TCP",                 10000 * MS, 400 * MS,   2950 * MS, "tls",     3400 * MS,  30},
	{"within what both have",            1000 * MS,  800 * MS,   500 * MS,  "connect", 1000 * MS,  3 },
	{"TCP that stalls",                  1000 * MS,  400 * MS,   5000 * MS, "connect", 1000 * MS,  10},
	{"as long as both: no looking",      1000 * MS,  1000 * MS,  0,         "connect", 1000 * MS,  0 },
	{"no limit of its own: none",        1000 * MS,  0,          0,         "connect", 1000 * MS,  0 },
	{"no limit of both",                 0,          400 * MS,   0,         "tls",     500 * MS,   1 },
	{"a tiny limit is looked at rarely", 200 * MS,   4 * MS,     5000 * MS, "connect", 200 * MS,   20},
	{"a long one often enough",          60000 * MS, 20000 * MS, 10 * MS,   "tls",     21000 * MS, 1 },
};

static void tls_has_a_time_of_its_own(void)
{
	for (size_t i = 0; i < COUNT_OF(handshakes); i++) {
		const char *name = handshakes[i].name;
		const struct transfer_limits l = {.connect_us = handshakes[i].connect_us,
			.tls_us = handshakes[i].tls_us,
			.first_byte_us = 1 * MS};
		struct stages s = {.on_late = on_late, .is_past_tcp = is_past_tcp};
		tcp_us = handshakes[i].tcp_us;
		n_late = n_looks = 0;
		stages_start(&s, loop, &l);
		loop_virtual_advance(loop, 100000 * MS);
		is_str(late, handshakes[i].late, "%s: the limit", name);
		is_int(late_us, handshakes[i].late_us, "%s: the time", name);
		ok(n_looks <= handshakes[i].most_looks, "%s: looked %d times", name, n_looks);
		is_int(n_late, 1, "%s: said once", name);
		is_uint(loop_virtual_timers(loop), 0, "%s: no timer is left", name);
	}
}

static void tls_that_succeeds(void)
{
	const struct transfer_limits l = {.connect_us = 10000 * MS, .tls_us = 400 * MS};
	struct stages s = {.on_late = on_late, .is_past_tcp = is_past_tcp};
	tcp_us = 150 * MS;
	n_late = n_looks = 0;
	stages_start(&s, loop, &l);
	loop_virtual_advance(loop, 500 * MS);
	ok(s.at == STAGE_TLS, "that TCP is done is seen");
	stages_moved(&s);
	stages_enter(&s, STAGE_SEND);
	is_int(s.connect_us, 500 * MS, "the way there is both");
	const int seen = n_looks;
	loop_virtual_advance(loop, 60000 * MS);
	is_int(n_late, 0, "and once it is done it is not late");
	is_int(n_looks, seen, "nor looked at");
	stages_stop(&s);
	is_uint(loop_virtual_timers(loop), 0, "no timer is left");
}

static void few_timers(void)
{
	struct stages s;
	begin(&s, &limits);
	const int64_t due_us = s.timer.due_us;
	play(&s, "csh", 1 * MS);
	is_int(s.timer.due_us - s.began_us, 53 * MS, "an earlier limit moves the timer");
	play(&s, "bbbbbbbbbb", 1 * MS);
	is_int(s.timer.due_us - s.began_us, 53 * MS, "bytes do not");
	ok(due_us > s.timer.due_us, "it was later before");
	stages_stop(&s);
	is_uint(loop_virtual_timers(loop), 0, "stopped is stopped");
}

/* It may have longer than it was given at first, and never less. */
static void a_later_end(void)
{
	struct stages s;
	begin(&s, &limits);
	const int64_t began_us = loop_now_us(loop);
	stages_until(&s, began_us + 3000 * MS);
	stages_until(&s, began_us + 1000 * MS);
	play(&s, "cshp", 10 * MS);
	loop_virtual_advance(loop, 2900 * MS);
	is_int(n_late, 0, "it has longer");
	loop_virtual_advance(loop, 200 * MS);
	is_str(late, "total", "until then");
	is_int(late_us, 3000 * MS, "as it was said");
	static const struct transfer_limits none;
	begin(&s, &none);
	stages_until(&s, loop_now_us(loop) + MS);
	play(&s, "csh", MS);
	loop_virtual_advance(loop, 1000 * MS);
	is_int(n_late, 0, "without a limit there is none still");
	stages_stop(&s);
}

static void verdicts(void)
{
	static const struct {
		enum cut cut;
		bool has_sent, has_head;
		enum err err;
	} table[] = {
		{CUT_LATE,       false, false, ERR_TIMEOUT        },
		{CUT_LATE,       true,  false, ERR_OUTCOME_UNKNOWN},
		{CUT_LATE,       true,  true,  ERR_TIMEOUT        },
		{CUT_LATE,       false, true,  ERR_TIMEOUT        },
		{CUT_CONNECTION, false, false, ERR_CONNECTION     },
		{CUT_CONNECTION, true,  false, ERR_OUTCOME_UNKNOWN},
		{CUT_CONNECTION, true,  true,  ERR_CONNECTION     },
		{CUT_CONNECTION, false, true,  ERR_CONNECTION     },
		{CUT_REPLY,      true,  false, ERR_SERVER_ERROR   },
		{CUT_REPLY,      true,  true,  ERR_SERVER_ERROR   },
	};
	for (size_t i = 0; i < COUNT_OF(table); i++)
		is_err(cut_verdict(table[i].cut, table[i].has_sent, table[i].has_head),
			table[i].err, "verdict %zu", i);
}

int main(void)
{
	loop = loop_new(NULL);
	if (!loop)
		bail("no loop");
	each_story();
	no_limits();
	tls_has_a_time_of_its_own();
	tls_that_succeeds();
	few_timers();
	a_later_end();
	verdicts();
	loop_free(loop);
	return tap_done();
}
