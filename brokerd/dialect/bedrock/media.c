/* media.c - a format's name for each type, a name for each document, and bytes or an S3 address. */
#include "brokerd/dialect/bedrock/media.h"

#include <stdio.h>

#include "brokerd/dialect/said.h"
#include "brokerd/dialect/scribe.h"
#include "protocol/base/utf8.h"

#define BELOW_BYTES 48
#define NAME_BYTES  ((size_t)200)

/* What each kind is called here, and which of the target's quirks allows it. */
static const struct kind {
	enum part_type type;
	const char *name, *plural;
	size_t quirk; /* a bool in struct quirks */
} kinds[] = {
	{PART_IMAGE, "image",    "images",    offsetof(struct quirks, has_images)     },
	{PART_FILE,  "document", "documents", offsetof(struct quirks, has_file_parts) },
	{PART_AUDIO, "audio",    "audio",     offsetof(struct quirks, has_audio_parts)},
	{PART_VIDEO, "video",    "video",     offsetof(struct quirks, has_video_parts)},
};

/* The first row of a format is what it is read back as; the ending of a file's name is mostly the
 * format itself. */
static const struct {
	const char *kind, *format, *mime;
} formats[] = {
	{"image",    "png",      "image/png"							},
	{"image",    "jpeg",     "image/jpeg"						       },
	{"image",    "gif",      "image/gif"							},
	{"image",    "webp",     "image/webp"						       },
	{"document", "pdf",      "application/pdf"						  },
	{"document", "csv",      "text/csv"							 },
	{"document", "doc",      "application/msword"                                               },
	{"document", "docx",
         "application/vnd.openxmlformats-officedocument.wordprocessingml.document"                  },
	{"document", "xls",      "application/vnd.ms-excel"                                         },
	{"document", "xlsx",     "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
	{"document", "html",     "text/html"							},
	{"document", "txt",      "text/plain"						       },
	{"document", "md",       "text/markdown"						    },
	{"document", "md",       "text/x-markdown"						  },
	{"audio",    "mp3",      "audio/mpeg"						       },
	{"audio",    "wav",      "audio/wav"							},
	{"audio",    "flac",     "audio/flac"						       },
	{"audio",    "ogg",      "audio/ogg"							},
	{"audio",    "opus",     "audio/opus"						       },
	{"audio",    "aac",      "audio/aac"							},
	{"audio",    "m4a",      "audio/x-m4a"						      },
	{"audio",    "mp4",      "audio/mp4"							},
	{"audio",    "webm",     "audio/webm"						       },
	{"video",    "mp4",      "video/mp4"							},
	{"video",    "mov",      "video/quicktime"						  },
	{"video",    "mkv",      "video/x-matroska"						 },
	{"video",    "webm",     "video/webm"						       },
	{"video",    "flv",      "video/x-flv"						      },
	{"video",    "mpeg",     "video/mpeg"						       },
	{"video",    "wmv",      "video/x-ms-wmv"						   },
	{"video",    "three_gp", "video/3gpp"						       },
};

static const struct kind *kind_of(enum part_type type)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		if (kinds[i].type == type)
			return &kinds[i];
	}
	return NULL;
}

struct span bedrock_mime_of(const char *kind, struct span format, struct arena *a)
{
	OWNED(buf_done) struct buf made = BUF_INIT(256);
	struct span mime = SPAN_NONE;
	for (size_t i = 0; i < COUNT_OF(formats); i++) {
		if (strcmp(formats[i].kind, kind) == 0 && span_is(format, formats[i].format))
			return span_str(formats[i].mime);
	}
	buf_text(&made, strcmp(kind, "document") == 0 ? "application" : kind);
	buf_byte(&made, '/');
	buf_span(&made, format);
	if (buf_error(&made) || arena_dup(a, buf_view(&made), &mime))
		return SPAN_NONE;
	return mime;
}

/* What follows the last dot, or an absent span. */
static struct span ending_of(struct span name)
{
	for (size_t i = name.n; i-- > 0;) {
		if (name.p[i] == '.')
			return span_skip(name, i + 1);
		if (name.p[i] == '/')
			break;
	}
	return SPAN_NONE;
}

static struct span format_of(const struct kind *kind, const struct media *m)
{
	const struct span endings[] = {ending_of(m->filename), ending_of(m->url)};
	for (size_t i = 0; i < COUNT_OF(formats); i++) {
		if (strcmp(formats[i].kind, kind->name) == 0 &&
			span_is_nocase(m->mime, formats[i].mime))
			return span_str(formats[i].format);
	}
	for (size_t k = 0; k < COUNT_OF(endings); k++) {
		for (size_t i = 0; i < COUNT_OF(formats); i++) {
			if (strcmp(formats[i].kind, kind->name) == 0 &&
				span_is_nocase(endings[k], formats[i].format))
				return span_str(formats[i].format);
		}
	}
	/* a format of which only its general type is known */
	const size_t slash = span_index(m->mime, '/');
	if (kind->type != PART_FILE && span_eq(span_first(m->mime, slash), span_str(kind->name)))
		return kind->type == PART_IMAGE ? SPAN_NONE : span_skip(m->mime, slash + 1);
	const bool is_text = span_starts(m->mime, SPAN("text/")) ||
			     span_is(m->mime, "application/json") ||
			     span_is(m->mime, "application/xml");
	return is_text && utf8_is_valid(m->data) ? SPAN("txt") : SPAN_NONE;
}

/* ---- names of documents ---- */

static bool is_taken(const struct document_names *names, struct span name)
{
	for (size_t i = 0; i < names->n; i++) {
		if (span_eq(names->list[i], name))
			return true;
	}
	return false;
}

/* Letters, digits, hyphens, underscores, brackets and single spaces are left of a file's name. */
static void put_legal(struct span name, struct buf *out)
{
	bool is_behind_space = true;
	for (size_t i = 0; i < name.n && out->n < NAME_BYTES; i++) {
		const char c = name.p[i];
		const bool is_space = c == ' ' || c == '\t';
		const bool is_legal = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				      (c >= '0' && c <= '9') || (c && strchr("-_()[]", c));
		if (is_legal || (is_space && !is_behind_space))
			buf_byte(out, is_space ? ' ' : c);
		if (is_legal || is_space)
			is_behind_space = is_space;
	}
	while (out->n > 0 && out->p[out->n - 1] == ' ')
		buf_cut(out, out->n - 1);
	if (out->n == 0)
		buf_text(out, "document");
}

static enum err name_document(
	struct scribe *s, struct document_names *names, struct span filename, struct span *out)
{
	OWNED(buf_done) struct buf name = BUF_INIT(NAME_BYTES + 32);
	put_legal(filename, &name);
	const size_t n = name.n;
	for (size_t again = 2; is_taken(names, buf_view(&name)); again++) {
		buf_cut(&name, n);
		buf_print(&name, "-%zu", again);
	}
	enum err err = buf_error(&name);
	if (!err)
		err = arena_dup(s->notes->arena, buf_view(&name), out);
	if (!err)
		names->list[names->n++] = *out;
	return err;
}

/* ---- blocks ---- */

/* A document that is cited from must be text where it is text. */
static bool is_sent_as_text(const struct scribe *s, const struct part *p, struct span format)
{
	return p->type == PART_FILE && span_is(format, "txt") &&
	       scribe_has_extra_below(s, &p->extra, "document.citations") &&
	       utf8_is_valid(p->media.data);
}

static enum err put_source(struct scribe *s, const struct part *p, const struct kind *kind,
	struct span format, const char *path)
{
	struct json_out *o = &s->o;
	const struct media *m = &p->media;
	char below[BELOW_BYTES];
	enum err err = OK;
	json_key(o, "source");
	json_open(o, '{');
	if (is_sent_as_text(s, p, format)) {
		json_pair_str(o, "text", m->data);
	} else if (span_is_set(m->data)) {
		json_key(o, "bytes");
		json_put_base64(o, SPAN(""), m->data);
	} else if (span_is_set(m->url)) {
		(void)snprintf(below, sizeof below, "%s.source.s3Location.", kind->name);
		json_key(o, "s3Location");
		json_open(o, '{');
		json_pair_str(o, "uri", m->url);
		err = scribe_extra_below(s, &p->extra, path, below, " uri ");
		json_close(o, '}');
	}
	(void)snprintf(below, sizeof below, "%s.source.", kind->name);
	if (!err)
		err = scribe_extra_below(
			s, &p->extra, path, below, " bytes text s3Location s3Location. ");
	json_close(o, '}');
	return err;
}

static enum err check_media(struct scribe *s, const struct part *p, const struct kind *kind,
	struct span format, const char *path)
{
	const struct media *m = &p->media;
	char below[BELOW_BYTES];
	(void)snprintf(below, sizeof below, "%s.source.", kind->name);
	const bool has_own = scribe_has_extra_below(s, &p->extra, below);
	if (!*(const bool *)((const char *)&s->target->quirks + kind->quirk))
		return scribe_refuse(
			s, path, "%.*s takes no %s", SPAN_ARG(s->target->model), kind->plural);
	if (span_is_set(m->file_id) || (!span_is_set(m->data) && !span_is_set(m->url) && !has_own))
		return scribe_refuse_as(s, "unsupported_input", path,
			"%.*s needs the bytes themselves", SPAN_ARG(s->target->provider));
	const enum err err = said_check_url(s, m, path);
	if (err)
		return err;
	if (!span_is_set(format))
		return scribe_refuse(s, path, "%.*s takes no %s of the type \"%.*s\"",
			SPAN_ARG(s->target->provider), kind->plural,
			SPAN_ARG(span_first(m->mime, 100)));
	return OK;
}

enum err bedrock_put_media(
	struct scribe *s, const struct part *given, const char *path, struct document_names *names)
{
	struct json_out *o = &s->o;
	struct part p = *given;
	const struct kind *kind = kind_of(p.type);
	char below[BELOW_BYTES];
	struct span name = SPAN_NONE;
	enum err err = said_resolve(s, given, path, &p.media);
	struct span format = format_of(kind, &p.media);
	if (!span_is_set(format) && p.type != PART_IMAGE) {
		/* first bytes that are known from elsewhere say little of these */
		p.media.mime = given->media.mime;
		format = format_of(kind, &p.media);
	}
	if (!err)
		err = check_media(s, &p, kind, format, path);
	if (!err)
		err = said_drop_detail(s, &p.media, path);
	if (!err && p.type == PART_FILE)
		err = name_document(s, names, p.media.filename, &name);
	if (err)
		return err;
	(void)snprintf(below, sizeof below, "%s.", kind->name);
	json_open(o, '{');
	json_key(o, kind->name);
	json_open(o, '{');
	json_pair_str(o, "format", format);
	json_pair_str(o, "name", name);
	err = put_source(s, &p, kind, format, path);
	if (!err)
		err = scribe_extra_below(s, &p.extra, path, below, " format name source source. ");
	json_close(o, '}');
	if (!err)
		err = scribe_extra(s, &p.extra, path, BEDROCK_KNOWN_IN_BLOCK);
	json_close(o, '}');
	return err;
}
