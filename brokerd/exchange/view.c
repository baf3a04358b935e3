/* view.c - the exchange's own fields, as who looks at it may have them. */
#include "brokerd/exchange/view.h"

#include "brokerd/exchange/steps.h"

void exchange_look(const struct exchange *x, struct exchange_view *out)
{
	const struct flight *f = x->flight;
	const struct target *t = f->route.n > 0 && x->state >= RESERVE ? exchange_target(x) : NULL;
	*out = (struct exchange_view){
		.peer = &x->peer,
		.id = x->id,
		.app = x->account,
		.op = llm_op_name(f->op),
		.state = exchange_state(x),
		.surface = exchange_surface(x),
		.model = f->request.model,
		.provider = t ? t->provider : SPAN_NONE,
		.target_model = t ? t->model : SPAN_NONE,
		.is_stream = f->request.is_stream,
		.is_waiting = turns_waits(&x->turn),
		.attempts = f->attempts,
		.begun_wall_us = f->begun_wall_us,
		.age_us = loop_now_us(x->organs->loop) - f->begun_us,
		.ttft_us = f->first_content_us ? f->first_content_us - f->begun_us : -1,
		.output_tokens = f->leg->has_usage ? usage_output_total(&f->leg->usage) : -1,
		.text_bytes = f->text_bytes,
	};
}

const struct exchange *exchange_oldest(const struct organs *o)
{
	return o->exchanges;
}

const struct exchange *exchange_younger(const struct exchange *x)
{
	return x->next;
}
