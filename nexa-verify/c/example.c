/* A licensed program's whole client: it keeps what it knows in a file, fetches what it lacks, and says what it found.
 *
 *     example ROOT LICENCE ISSUER APP FINGERPRINT STATE [FOLDER]
 *
 * ROOT is what `nexa keyset export --root` printed (a real program has it built in), LICENCE holds the token, STATE is where the
 * program keeps what it has learnt. Without FOLDER it fetches from the issuer; FOLDER is what `nexa status export` has written,
 * for a machine without a network. Ends with 0 where the licence lets the program go on, with 1 where it does not.
 *
 *     cc example.c $(pkg-config --cflags --libs nexa_verify libcurl)
 *     cc -DNEXA_NO_CURL example.c $(pkg-config --cflags --libs nexa_verify)
 */
#define _POSIX_C_SOURCE 200809L /* clock_gettime, fsync and fileno, also with -std=c99 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nexa_fetch.h"
#include "nexa_file.h"

/* Some tens of KB: static, so that the program runs on any stack. */
static nexa_client client = NEXA_NONE;
static nexa_report report = NEXA_NONE;
static nexa_notes notes;
static char root[8192], token[4096];

static int unreadable(const char *path) {
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return 2;
}

int main(int count, char **arguments) {
    const char *folder = count == 8 ? arguments[7] : NULL;
    const char *fingerprint, *state;
    nexa_component device;
    nexa_expectations expected;
    nexa_problem problem;
    nexa_status status;
    size_t root_bytes, token_bytes, i;
    uint64_t seats;

    if (count < 7 || count > 8) {
        fprintf(stderr, "usage: %s ROOT LICENCE ISSUER APP FINGERPRINT STATE [FOLDER]\n", arguments[0]);
        return 2;
    }
    fingerprint = arguments[5];
    state = arguments[6];
    root_bytes = nexa_file_text(arguments[1], root, sizeof root);
    if (root_bytes == SIZE_MAX) return unreadable(arguments[1]);
    token_bytes = nexa_file_text(arguments[2], token, sizeof token);
    if (token_bytes == SIZE_MAX) return unreadable(arguments[2]);

    device.kind = nexa_text_of("fingerprint");
    device.value = nexa_text_of(fingerprint);
    memset(&expected, 0, sizeof expected);
    expected.issuer = nexa_text_of(arguments[3]);
    expected.audience = nexa_text_of(arguments[4]);
    expected.components = &device;
    expected.component_count = 1;
    expected.device = NEXA_DEVICE_CHECK_COMPONENTS;
    if (nexa_client_init_root(&client, root, root_bytes, &expected, &problem) != NEXA_STATUS_OK) {
        fprintf(stderr, "%s: %s\n", problem.code, problem.message);
        return 2;
    }
    /* Whoever can damage it can remove it; so a program that would not go on without it gains nothing. */
    if (nexa_state_load(&client, state, fingerprint, &problem) != NEXA_STATUS_OK)
        fprintf(stderr, "%s: %s; it begins anew\n", state, problem.message);

    if (folder != NULL) {
        status = nexa_update_by(&client, nexa_wall_s(), nexa_monotonic_s(), token, token_bytes, nexa_fetch_from_folder,
                                arguments[7], &report, &notes, &problem);
    } else {
#ifdef NEXA_NO_CURL
        fprintf(stderr, "this program was built without libcurl: name a folder\n");
        return 2;
#else
        status = nexa_update(&client, token, token_bytes, &report, &notes, &problem);
#endif
    }
    if (status != NEXA_STATUS_OK) {
        fprintf(stderr, "%s: %s\n", problem.code, problem.message);
        return 2;
    }
    for (i = 0; i < notes.count; i++) {
        const nexa_note *note = &notes.notes[i];
        const char *name = note->document == NEXA_DOCUMENT_KEY_SET ? "key set" : "shard";
        printf("%s %lu: %s: %s\n", name, (unsigned long)note->number, note->problem.code, note->problem.message);
    }
    printf("%s: %s\n", nexa_report_code(&report), nexa_report_message(&report));
    if (nexa_report_allows(&report, "export", strlen("export"))) printf("with export\n");
    if (nexa_report_limit(&report, "seats", strlen("seats"), &seats) == NEXA_STATUS_OK)
        printf("for %llu seats\n", (unsigned long long)seats);
    printf("%s\n", nexa_report_json(&report));

    if (nexa_state_keep(&client, state, fingerprint, &problem) != NEXA_STATUS_OK)
        fprintf(stderr, "%s: %s: the next run begins with what was kept before\n", state, problem.message);
    return nexa_report_decision(&report) == NEXA_DECISION_ALLOW ? EXIT_SUCCESS : EXIT_FAILURE;
}
