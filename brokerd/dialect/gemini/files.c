/* files.c - images, sound, film and documents, as bytes or by address. */
#include "brokerd/dialect/gemini/gemini.h"
#include "brokerd/dialect/said.h"
#include "brokerd/dialect/scribe.h"
#include "protocol/base/utf8.h"

/* The names that are written here, for scribe_extra. */
#define KNOWN " mimeType data fileUri "

/* What a file's name says of it, for an address that has no type. */
static const char *const endings[][2] = {
	{".png",  "image/png"      },
	{".jpg",  "image/jpeg"     },
	{".jpeg", "image/jpeg"     },
	{".webp", "image/webp"     },
	{".heic", "image/heic"     },
	{".heif", "image/heif"     },
	{".pdf",  "application/pdf"},
	{".txt",  "text/plain"     },
	{".mp4",  "video/mp4"      },
	{".mov",  "video/quicktime"},
	{".webm", "video/webm"     },
	{".mp3",  "audio/mpeg"     },
	{".wav",  "audio/wav"      },
	{".flac", "audio/flac"     },
	{".ogg",  "audio/ogg"      },
};

static struct span type_of_address(struct span url)
{
	const struct span path = span_first(url, span_index(url, '?'));
	for (size_t i = 0; i < COUNT_OF(endings); i++) {
		const size_t n = strlen(endings[i][0]);
		if (path.n > n && span_is_nocase(span_skip(path, path.n - n), endings[i][0]))
			return span_str(endings[i][1]);
	}
	return SPAN_NONE;
}

static enum err check_image(struct scribe *s, struct span mime, const char *path)
{
	static const char *const taken[] = {
		"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"};
	for (size_t i = 0; i < COUNT_OF(taken); i++) {
		if (span_is_nocase(mime, taken[i]))
			return OK;
	}
	return scribe_refuse(s, path,
		"%.*s takes PNG, JPEG, WebP, HEIC and HEIF images, not \"%.*s\"",
		SPAN_ARG(s->target->provider), SPAN_ARG(span_first(mime, 100)));
}

/* PDF, and text of any kind, which is all the same to the provider. */
static enum err check_document(struct scribe *s, struct media *m, const char *path)
{
	static const char *const texts[] = {"application/json", "application/xml",
		"application/yaml", "application/javascript", "application/x-sh"};
	bool is_text = span_starts(m->mime, SPAN("text/"));
	if (span_is(m->mime, "application/pdf"))
		return OK;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		if (span_is_nocase(m->mime, texts[i])) {
			is_text = true;
			m->mime = SPAN("text/plain");
		}
	}
	if (m->mime.n == 0 && utf8_is_valid(m->data)) {
		is_text = true;
		m->mime = SPAN("text/plain");
	}
	if (is_text && utf8_is_valid(m->data))
		return OK;
	if (is_text)
		return scribe_refuse(s, path, "a text file that is no UTF-8 cannot be sent");
	return scribe_refuse(s, path, "%.*s takes PDF and text files, not \"%.*s\"",
		SPAN_ARG(s->target->provider), SPAN_ARG(span_first(m->mime, 100)));
}

/* The bytes are of a type that is taken. */
static enum err check_data(struct scribe *s, enum part_type type, struct media *m, const char *path)
{
	const struct quirks *q = &s->target->quirks;
	const char *kind = type == PART_AUDIO   ? "audio"
			   : type == PART_VIDEO ? "video"
			   : type == PART_FILE  ? "files"
						: "images";
	const bool is_taken = type == PART_AUDIO   ? q->has_audio_parts
			      : type == PART_VIDEO ? q->has_video_parts
			      : type == PART_FILE  ? q->has_file_parts
						   : q->has_images;
	if (!is_taken)
		return scribe_refuse(s, path, "%.*s takes no %s", SPAN_ARG(s->target->model), kind);
	enum err err = said_drop_detail(s, m, path);
	if (!err)
		err = said_drop_filename(s, m, path);
	if (err || !span_is_set(m->data))
		return err;
	if (type == PART_IMAGE)
		return check_image(s, m->mime, path);
	if (type == PART_FILE)
		return check_document(s, m, path);
	if (m->mime.n == 0)
		return scribe_refuse(s, path, "the type of the %s must be said", kind);
	return OK;
}

static enum err put_inline(
	struct scribe *s, const struct part *p, const struct media *m, const char *path)
{
	json_key(&s->o, "inlineData");
	json_open(&s->o, '{');
	json_pair_str(&s->o, "mimeType", m->mime);
	json_key(&s->o, "data");
	json_put_base64(&s->o, SPAN(""), m->data);
	const enum err err = scribe_extra_below(s, &p->extra, path, "inlineData.", KNOWN);
	json_close(&s->o, '}');
	return err;
}

static enum err put_address(
	struct scribe *s, const struct part *p, const struct media *m, const char *path)
{
	const struct span uri = span_is_set(m->file_id) ? m->file_id : m->url;
	const struct span mime = m->mime.n > 0 ? m->mime : type_of_address(uri);
	enum err err = span_is_set(m->file_id) ? OK : said_check_url(s, m, path);
	if (err)
		return err;
	json_key(&s->o, "fileData");
	json_open(&s->o, '{');
	if (mime.n > 0)
		json_pair_str(&s->o, "mimeType", mime);
	json_pair_str(&s->o, "fileUri", uri);
	err = scribe_extra_below(s, &p->extra, path, "fileData.", KNOWN);
	json_close(&s->o, '}');
	return err;
}

enum err gemini_put_media(struct scribe *s, const struct part *p, const char *path)
{
	struct media m;
	enum err err = said_resolve(s, p, path, &m);
	if (!err)
		err = check_data(s, p->type, &m, path);
	if (err)
		return err;
	return span_is_set(m.data) ? put_inline(s, p, &m, path) : put_address(s, p, &m, path);
}
