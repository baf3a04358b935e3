/* error.c - err.def says which code a class has, and this which class speaks for a code. */
#include "libllmclient/src/error.h"

static const struct {
	int code;
	enum err err; /* whose sentence fits all that have the code */
} codes[] = {
	{LLM_E_INVAL,       ERR_INVALID_ARGUMENT},
	{LLM_E_NOMEM,       ERR_NO_MEMORY       },
	{LLM_E_UNREACHABLE, ERR_UNREACHABLE     },
	{LLM_E_IO,          ERR_IO              },
	{LLM_E_PROTOCOL,    ERR_MALFORMED       },
	{LLM_E_TIMEOUT,     ERR_TIMEOUT         },
	{LLM_E_CANCELLED,   ERR_CANCELLED       },
	{LLM_E_DENIED,      ERR_DENIED          },
	{LLM_E_CONSENT,     ERR_CONSENT         },
	{LLM_E_LOCKED,      ERR_LOCKED          },
	{LLM_E_NO_KEY,      ERR_NO_KEY          },
	{LLM_E_NO_MODEL,    ERR_NOT_FOUND       },
	{LLM_E_BUDGET,      ERR_BUDGET          },
	{LLM_E_RATE,        ERR_RATE_LIMITED    },
	{LLM_E_OVERLOADED,  ERR_OVERLOADED      },
	{LLM_E_TOO_LONG,    ERR_CONTEXT_LENGTH  },
	{LLM_E_REFUSED,     ERR_CONTENT_FILTERED},
	{LLM_E_REQUEST,     ERR_INVALID_REQUEST },
	{LLM_E_PROVIDER,    ERR_SERVER_ERROR    },
	{LLM_E_UNSUPPORTED, ERR_UNSUPPORTED     },
	{LLM_E_NOT_CACHED,  ERR_NOT_CACHED      },
};

const char *llm_strerror(int code)
{
	if (code >= 0)
		return "success";
	if (code == LLM_E_AGAIN)
		return "nothing yet";
	if (code == LLM_E_FORKED)
		return error_forked.fault.message;
	for (size_t i = 0; i < COUNT_OF(codes); i++) {
		if (codes[i].code == code)
			return err_info(codes[i].err)->sentence;
	}
	return "an error that this version does not know";
}

int code_of(enum err err)
{
	switch (err) {
	case OK:
		return LLM_OK;
	case ERR_MORE:
		return LLM_E_AGAIN;
#define FAULT(name, number, word, client, ...) \
	case ERR_##name:                       \
		return LLM_E_##client;
#include "protocol/base/err.def"
#undef FAULT
	}
	return LLM_E_PROVIDER; /* a newer broker's class */
}

int error_set(struct llm_error *e, const struct fault *why)
{
	e->code = code_of(why->err);
	e->fault = *why;
	return e->code;
}

const struct llm_error error_forked = {
	LLM_E_FORKED,
	{.err = ERR_INVALID_ARGUMENT,
          .retry_after_ms = -1,
          .message = "this client was made before a fork: make a new one in the child"},
};

static const char *or_null(const char *text)
{
	return text[0] ? text : NULL;
}

int llm_error_code(const llm_error *e)
{
	return e ? e->code : LLM_E_INVAL;
}

const char *llm_error_message(const llm_error *e)
{
	if (!e)
		return llm_strerror(LLM_E_INVAL);
	return e->fault.message[0] ? e->fault.message : llm_strerror(e->code);
}

const char *llm_error_class(const llm_error *e)
{
	if (!e)
		return err_info(ERR_INVALID_ARGUMENT)->word;
	return e->fault.err ? err_info(e->fault.err)->word : "";
}

const char *llm_error_provider(const llm_error *e)
{
	return e ? or_null(e->fault.provider) : NULL;
}

int llm_error_http_status(const llm_error *e)
{
	return e ? e->fault.http_status : 0;
}

const char *llm_error_request_id(const llm_error *e)
{
	return e ? or_null(e->fault.request_id) : NULL;
}

int llm_error_retryable(const llm_error *e)
{
	return e && e->fault.err && err_info(e->fault.err)->is_retryable;
}

int64_t llm_error_retry_after_ms(const llm_error *e)
{
	return e ? e->fault.retry_after_ms : -1;
}
