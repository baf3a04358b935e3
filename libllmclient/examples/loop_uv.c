/* loop_uv.c - several answers at once in a program on libuv, whose clock ticks on beside them. ^C cancels.
 * usage: loop_uv [QUESTION...] */
#include <llmclient-uv.h>
#include <signal.h>
#include <stdio.h>

#define QUESTIONS_MAX 64
#define TICK_MS       50
#define TRIES         1000 /* at a broker that is not there, in all */

struct question {
	const char *text;
	llm_stream *stream; /* NULL: not asked just now */
	int is_over;
};

struct program {
	llm_uv_watch watch;
	uv_timer_t clock;
	uv_signal_t interrupt;
	struct question asked[QUESTIONS_MAX];
	int n_asked, n_open, n_failed, tries_left, is_cancelled;
};

static void give_up(struct program *p, struct question *q)
{
	q->is_over = 1;
	p->n_failed++;
	p->n_open--;
}

static void ask(struct program *p, struct question *q)
{
	llm_request *r = llm_request_new(NULL);
	llm_request_user(r, q->text);
	q->stream = llm_stream_start(p->watch.client, r);
	llm_request_free(r); /* the stream has its own copy */
	if (!q->stream)
		give_up(p, q);
}

/* Prints what has come. Where nobody was there to be asked, the clock asks again. */
static void read_on(struct program *p, struct question *q)
{
	const llm_event *ev;
	int got;
	while ((got = llm_stream_next(q->stream, &ev)) > 0) {
		if (llm_event_type_of(ev) == LLM_EV_TEXT)
			printf("%s: %s\n", q->text, llm_event_text(ev, NULL));
	}
	if (got == LLM_E_AGAIN)
		return;
	if (got < 0)
		fprintf(stderr, "%s: %s\n", q->text,
			llm_error_message(llm_stream_error(q->stream)));
	llm_stream_free(q->stream);
	q->stream = NULL;
	if (got == LLM_OK) {
		q->is_over = 1;
		p->n_open--;
	} else if (got != LLM_E_UNREACHABLE) {
		give_up(p, q);
	}
}

/* All is over: the loop has nothing to watch any more, and ends. */
static void finish(struct program *p)
{
	uv_close((uv_handle_t *)&p->clock, NULL);
	uv_close((uv_handle_t *)&p->interrupt, NULL);
	llm_uv_stop(&p->watch, NULL); /* the program lasts longer than the loop */
	llm_client_free(p->watch.client);
}

/* In the loop, each time that the client has done something. */
static void on_ready(llm_uv_watch *w)
{
	struct program *p = (struct program *)w->data;
	for (int i = 0; i < p->n_asked; i++) {
		if (p->asked[i].stream)
			read_on(p, &p->asked[i]);
	}
	fflush(stdout);
	if (p->n_open == 0)
		finish(p);
}

/* Only where the loop goes on in a child of fork(), or somebody closes what is not his. */
static void on_error(llm_uv_watch *w, int code)
{
	struct program *p = (struct program *)w->data;
	fprintf(stderr, "%s\n", llm_strerror(code));
	p->n_failed += p->n_open;
	finish(p);
}

static void tick(struct program *p)
{
	puts("tick");
	fflush(stdout);
	for (int i = 0; i < p->n_asked; i++) {
		struct question *q = &p->asked[i];
		if (q->stream || q->is_over)
			continue;
		if (p->is_cancelled || p->tries_left-- <= 0)
			give_up(p, q);
		else
			ask(p, q);
	}
	if (p->n_open == 0)
		finish(p);
}

/* Each answer ends in on_ready, with what had come of it. */
static void cancel(struct program *p)
{
	p->is_cancelled = 1;
	for (int i = 0; i < p->n_asked; i++)
		llm_stream_cancel(p->asked[i].stream); /* NULL is fine */
}

static void on_clock(uv_timer_t *clock)
{
	tick((struct program *)clock->data);
}

static void on_interrupt(uv_signal_t *interrupt, int number)
{
	(void)number;
	cancel((struct program *)interrupt->data);
}

int main(int argc, char **argv)
{
	static const char *const questions[] = {"Count to three.", "Name three colours."};
	static struct program p; /* all zero */
	llm_options o = LLM_OPTIONS_INIT;
	uv_loop_t *loop = uv_default_loop();

	p.n_asked = argc < 2 ? 2 : argc - 1 < QUESTIONS_MAX ? argc - 1 : QUESTIONS_MAX;
	p.n_open = p.n_asked;
	p.tries_left = TRIES;
	p.watch.on_ready = on_ready;
	p.watch.on_error = on_error;
	p.watch.data = &p;
	o.flags = LLM_F_NONBLOCK;
	llm_client *c = llm_client_new(&o);
	if (llm_uv_start(&p.watch, loop, c) != LLM_OK)
		return 1;
	for (int i = 0; i < p.n_asked; i++) {
		p.asked[i].text = argc < 2 ? questions[i] : argv[i + 1];
		ask(&p, &p.asked[i]);
	}
	uv_timer_init(loop, &p.clock);
	uv_signal_init(loop, &p.interrupt);
	p.clock.data = p.interrupt.data = &p;
	uv_timer_start(&p.clock, on_clock, TICK_MS, TICK_MS);
	uv_signal_start(&p.interrupt, on_interrupt, SIGINT);
	uv_run(loop, UV_RUN_DEFAULT);
	uv_loop_close(loop);
	return p.n_failed > 0;
}
