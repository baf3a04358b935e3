/* teller.h - what does a caller read where the answer's events are these?
 * An encoder fed with the words of event_words.h, each event in memory of its own. */
#ifndef TESTS_LIB_TELLER_H
#define TESTS_LIB_TELLER_H
#include "brokerd/dialect/dialect.h"

struct teller {
	const char *family;
	enum answer_form form;
	const struct llm_request *request; /* NULL: one of the model "asked" and eight choices */
	int64_t input_estimate;
};

/* Appends what is said. The first error of the encoder's, or OK. */
enum err tell(const struct teller *t, const char *words, struct buf *out);

#endif
