/* Files of a licensed program: texts it is given, documents out of a folder, and the client's state, replaced in one step. Needs
 * POSIX: compile with -std=gnu99 or newer, or define _POSIX_C_SOURCE as 200809L.
 */
#ifndef NEXA_FILE_H
#define NEXA_FILE_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nexa_fetch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A text that ends with a zero byte, with its length. */
static inline nexa_text nexa_text_of(const char *text) {
    nexa_text with_length;
    with_length.at = text;
    with_length.bytes = strlen(text);
    return with_length;
}

/* Reads a whole file. SIZE_MAX where that cannot be done; errno says why, and is EFBIG for a file with more than `room` bytes. */
static inline size_t nexa_file_read(const char *path, void *bytes, size_t room) {
    FILE *file = fopen(path, "rb");
    size_t length;
    int is_whole, error;
    if (file == NULL) return SIZE_MAX;
    length = fread(bytes, 1, room, file);
    is_whole = length < room || fgetc(file) == EOF;
    error = ferror(file) ? EIO : is_whole ? 0 : EFBIG;
    fclose(file);
    errno = error;
    return error == 0 ? length : SIZE_MAX;
}

/* Reads a text, a key or a licence, without the blanks and line ends behind it. SIZE_MAX as above. */
static inline size_t nexa_file_text(const char *path, char *text, size_t room) {
    size_t length = nexa_file_read(path, text, room);
    while (length != SIZE_MAX && length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL && text[length - 1] != '\0')
        length--;
    return length;
}

/* Restores the state that stands in a file. Where there is no file, the client begins anew: that is no failure.
 * NEXA_STATUS_REFUSED and a problem where it is no good one; the client is as before, and may begin anew as well. */
static inline nexa_status nexa_state_load(nexa_client *client, const char *path, const char *fingerprint,
                                          nexa_problem *problem) {
    uint8_t *bytes = (uint8_t *)malloc(NEXA_STATE_BYTES);
    nexa_status status = NEXA_STATUS_REFUSED;
    size_t length = SIZE_MAX;
    if (problem != NULL) nexa_problem_set(problem, "", "");
    errno = ENOMEM;
    if (bytes != NULL) length = nexa_file_read(path, bytes, NEXA_STATE_BYTES);
    if (length != SIZE_MAX) {
        status = nexa_client_restore(client, bytes, length, (const uint8_t *)fingerprint, strlen(fingerprint), problem);
    } else if (errno == ENOENT) {
        status = NEXA_STATUS_OK;
    } else if (problem != NULL) {
        nexa_problem_set(problem, "not_read", strerror(errno));
    }
    free(bytes);
    return status;
}

/* Keeps the state in a file: beside it and then in its place, since half a state would be refused in the next run. */
static inline nexa_status nexa_state_keep(const nexa_client *client, const char *path, const char *fingerprint,
                                          nexa_problem *problem) {
    size_t name_bytes = strlen(path) + sizeof ".new", length = 0;
    uint8_t *bytes = (uint8_t *)malloc(NEXA_STATE_BYTES);
    char *beside = (char *)malloc(name_bytes);
    nexa_status status = NEXA_STATUS_REFUSED;
    FILE *file = NULL;
    int is_kept = 0;
    errno = ENOMEM;
    if (bytes != NULL && beside != NULL) {
        status = nexa_client_save(client, (const uint8_t *)fingerprint, strlen(fingerprint), bytes, NEXA_STATE_BYTES, &length,
                                  problem);
        if (status != NEXA_STATUS_OK) goto end;
        snprintf(beside, name_bytes, "%s.new", path);
        file = fopen(beside, "wb");
    }
    if (file != NULL) {
        is_kept = fwrite(bytes, 1, length, file) == length && fflush(file) == 0 && fsync(fileno(file)) == 0;
        is_kept = fclose(file) == 0 && is_kept && rename(beside, path) == 0;
    }
    if (!is_kept) {
        status = NEXA_STATUS_REFUSED;
        if (problem != NULL) nexa_problem_set(problem, "not_kept", strerror(errno));
    }
end:
    free(beside);
    free(bytes);
    return status;
}

/* A fetcher out of a folder, its path in `context`: keyset.nexa and shards/N.shard, as `nexa status export` writes them. */
static inline size_t nexa_fetch_from_folder(void *context, const char *url, uint32_t document, uint32_t number,
                                            uint8_t *bytes, size_t room, nexa_problem *problem) {
    const char *folder = (const char *)context;
    size_t path_bytes = strlen(folder) + sizeof "/shards/4294967295.shard", length = SIZE_MAX;
    char *path = (char *)malloc(path_bytes);
    (void)url;
    errno = ENOMEM;
    if (path != NULL) {
        if (document == NEXA_DOCUMENT_KEY_SET) {
            snprintf(path, path_bytes, "%s/keyset.nexa", folder);
        } else {
            snprintf(path, path_bytes, "%s/shards/%lu.shard", folder, (unsigned long)number);
        }
        length = nexa_file_read(path, bytes, room);
    }
    if (length == SIZE_MAX) nexa_problem_set(problem, "not_read", strerror(errno));
    free(path);
    return length;
}

#ifdef __cplusplus
}
#endif

#endif /* NEXA_FILE_H */
