/* stream_sample.h - how does each family begin a stream, and say one piece of its text?
 * For benchmarks, which want the same few bytes again and again. */
#ifndef TESTS_LIB_STREAM_SAMPLE_H
#define TESTS_LIB_STREAM_SAMPLE_H
#include "protocol/base/buf.h"

struct stream_sample {
	const char *family, *type; /* the stream's content type */
	const char *begin, *delta; /* as they are framed; the delta's text is " token" */
	/* of binary messages, where the two above are payloads: the names of their events; else NULL */
	const char *begin_event, *delta_event;
};

const struct stream_sample *stream_samples(size_t *n);
/* NULL: there is none of that family. */
const struct stream_sample *stream_sample_find(struct span family);

void stream_sample_begin(const struct stream_sample *s, struct buf *out);
void stream_sample_delta(const struct stream_sample *s, struct buf *out);
/* The JSON of a delta, without its framing. */
struct span stream_sample_json(const struct stream_sample *s);

#endif
