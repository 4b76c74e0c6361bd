/* Brings a client up to date: checks, fetches what is wanted, hands it over, until nothing is wanted. One header, nothing to
 * link but nexa_verify and libcurl (-lcurl; 7.19.4 or newer); with NEXA_NO_CURL defined, not even that, and the program brings
 * a fetcher.
 *
 *     nexa_status status = nexa_update(&client, token, token_bytes, &report, NULL, &problem);
 *
 * The thread's stack has to have room for libcurl too. Where several threads fetch, call curl_global_init before they begin.
 */
#ifndef NEXA_FETCH_H
#define NEXA_FETCH_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nexa_verify.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How often at most something is fetched in one update. */
#define NEXA_ROUNDS 8

/* The longest document that is read: more than any has. */
#define NEXA_DOCUMENT_BYTES 16384

/* A document that could not be had, or was refused. */
typedef struct {
    uint32_t document; /* a nexa_document */
    uint32_t number;   /* a shard's number, or 0 */
    nexa_problem problem;
} nexa_note;

/* What did not go well in one update: nothing that has to be dealt with, since the last report takes it into account. */
typedef struct {
    size_t count;
    nexa_note notes[NEXA_ROUNDS];
} nexa_notes;

/* Fetches a document into `bytes`, which has room for `room`, and answers how many there are. Where it cannot be had, answers
 * SIZE_MAX and says why in `problem`. */
typedef size_t (*nexa_fetcher)(void *context, const char *url, uint32_t document, uint32_t number, uint8_t *bytes,
                               size_t room, nexa_problem *problem);

/* Fills a problem in, both texts cut to their room. */
static inline void nexa_problem_set(nexa_problem *problem, const char *code, const char *message) {
    memset(problem, 0, sizeof *problem);
    strncpy(problem->code, code, sizeof problem->code - 1);
    strncpy(problem->message, message, sizeof problem->message - 1);
}

/* The wall clock in Unix seconds. */
static inline uint64_t nexa_wall_s(void) {
    time_t now = time(NULL);
    return now < 0 ? 0 : (uint64_t)now;
}

/* A clock that only goes forward, where the compiler's flags let one be seen (-std=gnu99, _POSIX_C_SOURCE). */
static inline uint64_t nexa_monotonic_s(void) {
#ifdef CLOCK_MONOTONIC
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) == 0) return (uint64_t)now.tv_sec;
#endif
    return NEXA_NO_MONOTONIC;
}

/* As nexa_update, at a time and by a fetcher of the program's own; `notes` may be null. Whatever it answers but NEXA_STATUS_OK,
 * the report denies. */
static inline nexa_status nexa_update_by(nexa_client *client, uint64_t wall_s, uint64_t monotonic_s, const char *token,
                                         size_t token_bytes, nexa_fetcher fetcher, void *context, nexa_report *report,
                                         nexa_notes *notes, nexa_problem *problem) {
    uint8_t *bytes = NULL;
    nexa_status status;
    int round;
    /* Zeros deny, also where the library would not write there, because something else that is passed overlaps it. */
    if (report != NULL) memset(report, 0, sizeof report->words[0]);
    if (notes != NULL) notes->count = 0;
    for (round = 0;; round++) {
        nexa_note note;
        const char *url;
        size_t length = SIZE_MAX;
        status = nexa_client_check(client, wall_s, monotonic_s, token, token_bytes, report, problem);
        if (status != NEXA_STATUS_OK || round == NEXA_ROUNDS) break;
        note.document = nexa_report_wanted(report, &note.number);
        url = nexa_report_url(report);
        if (note.document == NEXA_DOCUMENT_NOTHING || url == NULL) break;
        nexa_problem_set(&note.problem, "", "");
        if (bytes == NULL) bytes = (uint8_t *)malloc(NEXA_DOCUMENT_BYTES);
        if (bytes == NULL) {
            nexa_problem_set(&note.problem, "no_memory", "there is no memory for a document");
        } else {
            length = fetcher(context, url, note.document, note.number, bytes, NEXA_DOCUMENT_BYTES, &note.problem);
        }
        /* Without news it goes on with what it knows; the licence says for how long. */
        if (length == SIZE_MAX) {
            nexa_client_failed(client, note.document, NULL);
        } else {
            nexa_client_receive(client, note.document, note.number, bytes, length, &note.problem);
        }
        if (notes != NULL && note.problem.code[0] != '\0') notes->notes[notes->count++] = note;
    }
    free(bytes);
    return status;
}

#ifndef NEXA_NO_CURL
#include <curl/curl.h>

typedef struct {
    uint8_t *bytes;
    size_t length, room;
} nexa_fetched;

static inline size_t nexa_take(char *from, size_t size, size_t count, void *context) {
    nexa_fetched *fetched = (nexa_fetched *)context;
    size_t more = size * count;
    if (more > fetched->room - fetched->length) return 0; /* ends the transfer */
    memcpy(fetched->bytes + fetched->length, from, more);
    fetched->length += more;
    return more;
}

/* Lets a transfer and its redirects use this scheme alone: by its name, which libcurl takes from 7.85 on, or by its bit. */
static inline CURLcode nexa_allow_only(CURL *curl, const char *scheme) {
#if LIBCURL_VERSION_NUM >= 0x075500
    CURLcode code = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, scheme);
    if (code == CURLE_OK) code = curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, scheme);
#else
    long bit = strcmp(scheme, "https") == 0 ? CURLPROTO_HTTPS : CURLPROTO_HTTP;
    CURLcode code = curl_easy_setopt(curl, CURLOPT_PROTOCOLS, bit);
    if (code == CURLE_OK) code = curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, bit);
#endif
    return code;
}

/* A fetcher by libcurl: http and https, redirects within the URL's scheme only, 10 seconds. */
static inline size_t nexa_fetch(void *context, const char *url, uint32_t document, uint32_t number, uint8_t *bytes,
                                size_t room, nexa_problem *problem) {
    nexa_fetched fetched;
    const char *scheme;
    CURLcode code;
    CURL *curl;
    (void)context, (void)document, (void)number;
    if (strncmp(url, "https://", 8) == 0) {
        scheme = "https";
    } else if (strncmp(url, "http://", 7) == 0) {
        scheme = "http";
    } else {
        nexa_problem_set(problem, "not_http", "its URL is neither http nor https");
        return SIZE_MAX;
    }
    fetched.bytes = bytes, fetched.length = 0, fetched.room = room;
    curl = curl_easy_init();
    if (curl == NULL) {
        nexa_problem_set(problem, "no_memory", "libcurl could not begin");
        return SIZE_MAX;
    }
    code = nexa_allow_only(curl, scheme);
    if (code == CURLE_OK) code = curl_easy_setopt(curl, CURLOPT_URL, url);
    if (code == CURLE_OK) {
        curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
        curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
        curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT, 10L);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, nexa_take);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, &fetched);
        code = curl_easy_perform(curl);
    }
    curl_easy_cleanup(curl);
    if (code == CURLE_OK) return fetched.length;
    if (code == CURLE_WRITE_ERROR) {
        nexa_problem_set(problem, "too_long", "it has more bytes than any document");
    } else {
        nexa_problem_set(problem, "unreachable", curl_easy_strerror(code));
    }
    return SIZE_MAX;
}

/* Checks a licence now; fetches what the client wants, at most NEXA_ROUNDS documents, and hands it over. The last report is the
 * answer: a document that was refused or could not be had is no failure, and stands in `notes`, which may be null. */
static inline nexa_status nexa_update(nexa_client *client, const char *token, size_t token_bytes, nexa_report *report,
                                      nexa_notes *notes, nexa_problem *problem) {
    return nexa_update_by(client, nexa_wall_s(), nexa_monotonic_s(), token, token_bytes, nexa_fetch, NULL, report, notes,
                          problem);
}
#endif /* NEXA_NO_CURL */

#ifdef __cplusplus
}
#endif

#endif /* NEXA_FETCH_H */
