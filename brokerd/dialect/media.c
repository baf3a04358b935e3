/* media.c - first bytes, and data: URIs taken apart. */
#include "brokerd/dialect/media.h"

#include "brokerd/dialect/base64.h"
#include "brokerd/value/http.h"
#include "protocol/limits.h"

/* For a static table: what a literal's bytes are, NULs included. */
#define BYTES(literal)                       \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

static const struct {
	struct span first; /* bytes at `at` */
	size_t at;
	const char *type;
} magics[] = {
	{BYTES("\x89PNG"),      0, "image/png"      },
	{BYTES("\xff\xd8\xff"), 0, "image/jpeg"     },
	{BYTES("GIF8"),         0, "image/gif"      },
	{BYTES("WEBP"),         8, "image/webp"     },
	{BYTES("%PDF"),         0, "application/pdf"},
	{BYTES("WAVE"),         8, "audio/wav"      },
	{BYTES("ID3"),          0, "audio/mpeg"     },
	{BYTES("\xff\xfb"),     0, "audio/mpeg"     },
	{BYTES("\xff\xf3"),     0, "audio/mpeg"     },
	{BYTES("fLaC"),         0, "audio/flac"     },
	{BYTES("OggS"),         0, "audio/ogg"      },
	{BYTES("BM"),           0, "image/bmp"      },
	{BYTES("II*\0"),        0, "image/tiff"     },
	{BYTES("MM\0*"),        0, "image/tiff"     },
};

struct span media_type_of(struct span bytes)
{
	for (size_t i = 0; i < COUNT_OF(magics); i++) {
		if (bytes.n > magics[i].at &&
			span_starts(span_skip(bytes, magics[i].at), magics[i].first))
			return span_str(magics[i].type);
	}
	return SPAN_NONE;
}

static const char *const aliases[][2] = {
	{"image/jpg",         "image/jpeg"     },
	{"image/pjpeg",       "image/jpeg"     },
	{"audio/mp3",         "audio/mpeg"     },
	{"audio/x-mp3",       "audio/mpeg"     },
	{"audio/x-wav",       "audio/wav"      },
	{"audio/wave",        "audio/wav"      },
	{"application/x-pdf", "application/pdf"},
};

static enum err take_data_uri(struct arena *a, struct media *m)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(LIMIT_BODY_BYTES);
	struct span payload = span_skip(m->url, strlen("data:"));
	if (span_index(payload, ',') == payload.n)
		return ERR_INVALID_REQUEST;
	struct span params = span_cut(&payload, ',');
	const struct span type = span_cut(&params, ';');
	bool is_base64 = false;
	while (span_is_set(params))
		is_base64 =
			span_is_nocase(span_trim(span_cut(&params, ';')), "base64") || is_base64;
	if (!is_base64)
		(void)http_unescape(payload, &bytes);
	else if (!base64_decode(payload, &bytes))
		return buf_error(&bytes) ? ERR_NO_MEMORY : ERR_INVALID_REQUEST;
	if (buf_error(&bytes))
		return ERR_NO_MEMORY;
	if (type.n > 0)
		m->mime = type;
	m->url = SPAN_NONE;
	return arena_dup(a, buf_view(&bytes), &m->data);
}

enum err media_resolve(struct arena *a, struct media *m)
{
	if (m->url.n > 5 && strncasecmp(m->url.p, "data:", 5) == 0) {
		const enum err err = take_data_uri(a, m);
		if (err)
			return err;
	}
	const struct span told = media_type_of(m->data);
	if (span_is_set(told))
		m->mime = told;
	for (size_t i = 0; i < COUNT_OF(aliases); i++) {
		if (span_is_nocase(m->mime, aliases[i][0]))
			m->mime = span_str(aliases[i][1]);
	}
	return OK;
}
