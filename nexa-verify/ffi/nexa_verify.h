/* The C interface of nexa-verify: licences checked offline. Made by cbindgen; do not edit.
 *
 * Objects (nexa_verifier, nexa_client, nexa_report) and nexa_problem are plain memory of the caller's: on the stack, static or on
 * a heap. They may be copied, and need not be freed. How large they are holds for one 0.x: a program is compiled anew for the next.
 *
 * An object begins as NEXA_NONE (zeros): so it is not ready, and a report denies, until a call makes it. Without that, nothing may
 * read it before such a call, whatever its status: in memory that was used before, there may be a report that allowed.
 *
 * - Texts are UTF-8 as pointer and length. A pointer may be null where its length is 0.
 * - Every `problem` may be null. It says nothing (two empty texts) after a call that succeeded.
 * - What a failed call should have made is not ready, and a report denies; except where objects overlap: then the call is not
 *   made (NEXA_STATUS_OUT_OF_RANGE) and none of them is written to, so that an earlier report still says what it said.
 * - What is passed to be read (texts, keys, tokens, documents) must not stand in an object that is passed with it; only what a
 *   check reads may stand where its report goes. Nobody else may write to what is passed for as long as the call takes.
 * - Texts that a report answers stand in it, and are gone when it is written to again.
 * - No call allocates, fetches, reads a clock or a file, or keeps a pointer. Each needs less than 96 KiB of stack (x86-64): a
 *   thread with 128 KiB, as musl makes them, will do.
 */

#ifndef NEXA_VERIFY_H
#define NEXA_VERIFY_H

#include <stddef.h>
#include <stdint.h>

// What a nexa_verifier, nexa_client or nexa_report begins as, not ready: `nexa_report report = NEXA_NONE;`.
#define NEXA_NONE {{0}}

// The value of `monotonic_s` that says that there is no clock that only goes forward.
#define NEXA_NO_MONOTONIC UINT64_MAX

// The most bytes that `nexa_client_save` writes.
#define NEXA_STATE_BYTES 11264

// How a call ended. Everything but `NEXA_STATUS_OK` is below zero.
typedef enum {
  // It did what it says.
  NEXA_STATUS_OK = 0,
  // A pointer is null that must not be.
  NEXA_STATUS_NULL_POINTER = -1,
  // A text is not UTF-8.
  NEXA_STATUS_NOT_UTF8 = -2,
  // An object is used before its `…_init` succeeded.
  NEXA_STATUS_NOT_READY = -3,
  // A buffer is too short; how many bytes it needs is said.
  NEXA_STATUS_SHORT_BUFFER = -4,
  // An argument is longer, larger or other than it may be.
  NEXA_STATUS_OUT_OF_RANGE = -5,
  // Keys, a document, a list or a state were refused; the problem has the code of the rule.
  NEXA_STATUS_REFUSED = -6,
  // There is nothing of that name.
  NEXA_STATUS_MISSING = -7,
} nexa_status;

// What to do if the program has no rule of its own.
typedef enum {
  // Do not let it pass.
  NEXA_DECISION_DENY = 0,
  // Let it pass.
  NEXA_DECISION_ALLOW = 1,
} nexa_decision;

// A document that a client may want.
typedef enum {
  // Nothing: everything is as new as it has to be.
  NEXA_DOCUMENT_NOTHING = 0,
  // The signed key set.
  NEXA_DOCUMENT_KEY_SET = 1,
  // A status shard, whole or as a delta: which one, its number says.
  NEXA_DOCUMENT_SHARD = 2,
} nexa_document;

// Whether a licence has to be this device's. There is no default: leaving the device out has to be written down.
typedef enum {
  // The components stated are compared with the licence's.
  NEXA_DEVICE_CHECK_COMPONENTS = 1,
  // The device is left out of the verdict: for a server that looks at somebody else's licence.
  NEXA_DEVICE_CHECK_NOT_CHECKED = 2,
} nexa_device_check;

// What has a size, for callers without the header.
typedef enum {
  // A `nexa_verifier`.
  NEXA_OBJECT_VERIFIER = 1,
  // A `nexa_client`; 0 bytes in a library without it.
  NEXA_OBJECT_CLIENT = 2,
  // A `nexa_report`.
  NEXA_OBJECT_REPORT = 3,
  // The longest kept state of a client; 0 bytes in a library without it.
  NEXA_OBJECT_STATE = 4,
} nexa_object;

// Checks licences of one issuer for one app with all that it has learnt: key set, status shard, trusted time. May be copied;
// one thread at a time.
typedef struct {
  uint64_t words[3456];
} nexa_client;

// UTF-8 of a stated length; it need not end with a zero byte.
typedef struct {
  // Where it begins; may be null where there is none.
  const char *at;
  // How many bytes it has.
  size_t bytes;
} nexa_text;

// A part of this device.
typedef struct {
  // Its kind, for instance "fingerprint".
  nexa_text kind;
  // What identifies it. Only hashes of it stand in licences.
  nexa_text value;
} nexa_component;

// What a licence has to be of. It is copied: nothing of it is used after the call that takes it.
typedef struct {
  // The issuer's public URL, compared byte for byte with `iss`.
  nexa_text issuer;
  // The app's id, compared byte for byte with `aud`.
  nexa_text audience;
  // What this device is made of: at most 32 components; of several of one kind, one must match.
  const nexa_component *components;
  // How many components there are.
  size_t component_count;
  // A `nexa_device_check`.
  uint32_t device;
  // The longest accepted life (exp − iat) in seconds; 0 for 400 days.
  uint64_t max_lifetime_s;
} nexa_expectations;

// Why a call failed: both texts end with a zero byte, and are empty where nothing failed.
typedef struct {
  // The stable name of the rule, in snake case.
  char code[48];
  // One sentence for people, which names the argument or the field.
  char message[208];
} nexa_problem;

// What a check found. May be copied. As `NEXA_NONE`, and after a check that failed, it denies; see above for objects that overlap.
typedef struct {
  uint64_t words[2048];
} nexa_report;

// Checks licences of one issuer for one app against embedded keys. May be copied, and shared between threads.
typedef struct {
  uint64_t words[1408];
} nexa_verifier;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The version of the library, as "0.1.0".
const char *nexa_version(void);

// How many bytes an object takes (see `nexa_object`), aligned to 8; 0 for what this library does not have.
size_t nexa_bytes(uint32_t object);

// Makes a client that trusts a root key, as `nexa keyset export --root` prints it: keys for licences may be replaced and
// revoked without a new version of the program. It knows nothing yet; see `nexa_client_restore`.
//
// # Safety
// `client` is null or memory for one; the other pointers are null or hold what their lengths say.
nexa_status nexa_client_init_root(nexa_client *client,
                                  const char *root,
                                  size_t root_bytes,
                                  const nexa_expectations *expectations,
                                  nexa_problem *problem);

// Makes a client that trusts the published JWK set as it was when the program was built, and, where there are any, embedded
// status keys. `status_jwks` is null where revocation is not to be checked.
//
// # Safety
// As for `nexa_client_init_root`.
nexa_status nexa_client_init_keys(nexa_client *client,
                                  const char *jwks,
                                  size_t jwks_bytes,
                                  const char *status_jwks,
                                  size_t status_jwks_bytes,
                                  const nexa_expectations *expectations,
                                  nexa_problem *problem);

// Checks one licence now, and writes into `report` what it found and what to fetch next.
//
// `wall_s` is the wall clock in Unix seconds; `monotonic_s` a clock in seconds that only goes forward and began anywhere, or
// `NEXA_NO_MONOTONIC`. A client that cannot fetch says so (`nexa_client_failed`), checks again and goes on with what it has:
// how old revocation data may get, and what then, stands in the licence.
//
// # Safety
// `client` is null or was made by one of the `…_init_…`, `report` is null or memory for one; `token` is null or holds
// `token_bytes` bytes.
nexa_status nexa_client_check(nexa_client *client,
                              uint64_t wall_s,
                              uint64_t monotonic_s,
                              const char *token,
                              size_t token_bytes,
                              nexa_report *report,
                              nexa_problem *problem);

// Takes a document that was fetched or brought: what it is (a `nexa_document`), a shard's number (0 for a key set), its bytes.
// They need no trust: what is not signed, is older than what was seen, or does not fit is refused and changes nothing but
// what is asked for next.
//
// # Safety
// `client` is null or was made by one of the `…_init_…`; `bytes` is null or holds `byte_count` bytes.
nexa_status nexa_client_receive(nexa_client *client,
                                uint32_t document,
                                uint32_t number,
                                const uint8_t *bytes,
                                size_t byte_count,
                                nexa_problem *problem);

// Notes that a document could not be fetched: for a minute it is not asked for, and something else may be.
//
// # Safety
// `client` is null or was made by one of the `…_init_…`.
nexa_status nexa_client_failed(nexa_client *client, uint32_t document, nexa_problem *problem);

// Writes what the client has learnt into `buffer`, for the program to keep, and how many bytes that is into `written`: at
// most `NEXA_STATE_BYTES`. With `NEXA_STATUS_SHORT_BUFFER`, `written` is how many are needed.
//
// `fingerprint` binds the state to this device: what identifies it and does not change.
//
// # Safety
// `client` is null or was made by one of the `…_init_…`; `buffer` is null or has room for `buffer_bytes` bytes, which nothing
// else that is passed overlaps; the other pointers are null or hold what their lengths say.
nexa_status nexa_client_save(const nexa_client *client,
                             const uint8_t *fingerprint,
                             size_t fingerprint_bytes,
                             uint8_t *buffer,
                             size_t buffer_bytes,
                             size_t *written,
                             nexa_problem *problem);

// Takes up what `nexa_client_save` wrote on this device. With `NEXA_STATUS_REFUSED` the client is as before: the program decides
// whether it begins anew, and so forgets how far the clock had come.
//
// # Safety
// `client` is null or was made by one of the `…_init_…`; the other pointers are null or hold what their lengths say.
nexa_status nexa_client_restore(nexa_client *client,
                                const uint8_t *bytes,
                                size_t byte_count,
                                const uint8_t *fingerprint,
                                size_t fingerprint_bytes,
                                nexa_problem *problem);

// What to do if the program has no rule of its own: a `nexa_decision`. A report that is null or not ready denies.
//
// # Safety
// `report` is null, `NEXA_NONE`, or was passed to a check.
nexa_decision nexa_report_decision(const nexa_report *report);

// The stable name of the verdict, in snake case; for a refusal, the rule's. "not_ready" for a report that is not. It stands
// in the report.
//
// # Safety
// `report` is null, `NEXA_NONE`, or was passed to a check.
const char *nexa_report_code(const nexa_report *report);

// One sentence for people, which names the field and the rule. It stands in the report.
//
// # Safety
// `report` is null, `NEXA_NONE`, or was passed to a check.
const char *nexa_report_message(const nexa_report *report);

// Everything that was found, as one JSON object in UTF-8; null for a report that is not ready. It stands in the report.
//
// Members: `code`, `message`, `decision` ("allow", "deny") · `starts_in_s`, `since_s`, `grace_left_s`, `revoked_at`, where
// the verdict has them · `revocation` ("not_checked", "no_data", "not_revoked", "revoked"), `freshness` ("unknown", "fresh",
// "aging", "too_old"), `revocation_age_s` · `license` (`null` where signature or claims do not hold) with `issuer`,
// `subject`, `audience`, `jti`, `kid`, `issued_at`, `not_before`, `expires_at`, `plan`, `entitlements`, `limits`, `grace_s`,
// `fresh_s`, `max_age_s`, `stale`, `renew_after`, `trial`, `status_idx`, `status_uri` · `device` (`null` where none was
// compared) with `matched`, `required`, `total`, `drifted` · from a client: `clock` with `trusted`, `stepped_back_s`,
// `ahead_s`, and `wanted` (`null` for nothing) with `document` ("key_set", "shard"), `number`, `since`, `why`, `url`.
// Times are Unix seconds; `_s` are seconds; what is not known is `null`.
//
// # Safety
// `report` is null, `NEXA_NONE`, or was passed to a check.
const char *nexa_report_json(const nexa_report *report);

// Whether the default decision allows and the licence lists this entitlement: 1, else 0.
//
// # Safety
// `report` is null, `NEXA_NONE`, or was passed to a check; `name` is null or holds `name_bytes` bytes.
int32_t nexa_report_allows(const nexa_report *report, const char *name, size_t name_bytes);

// Writes the licence's limit of this name into `limit`; 0 and `NEXA_STATUS_MISSING` where the licence states none, or is
// refused.
//
// # Safety
// As for `nexa_report_allows`; `limit` is null or points to a place for it.
nexa_status nexa_report_limit(const nexa_report *report,
                              const char *name,
                              size_t name_bytes,
                              uint64_t *limit);

// What to fetch next, a `nexa_document`, and its number in `number`, which may be null: 0 for what is not a shard.
//
// # Safety
// `report` is null, `NEXA_NONE`, or was passed to a check; `number` is null or points to a place for it.
uint32_t nexa_report_wanted(const nexa_report *report,
                            uint32_t *number);

// The URL of what to fetch next; null where that is nothing. It stands in the report. It ends at its first zero byte, should
// an issuer have signed one with such a byte.
//
// It is the issuer's, or stands in a licence that the issuer signed; a program that trusts an issuer with less than its
// network looks at it before it fetches.
//
// # Safety
// `report` is null, `NEXA_NONE`, or was passed to a check.
const char *nexa_report_url(const nexa_report *report);

// Makes a verifier of the published JWK set, as it was when the program was built: at most 16 Ed25519 keys in 8,192 bytes.
//
// `NEXA_STATUS_REFUSED` where a key is malformed, weak or private: a program finds that out in its tests, since the set is embedded.
//
// # Safety
// `verifier` is null or memory for one; the other pointers are null or hold what their lengths say.
nexa_status nexa_verifier_init(nexa_verifier *verifier,
                               const char *jwks,
                               size_t jwks_bytes,
                               const nexa_expectations *expectations,
                               nexa_problem *problem);

// Checks one licence at `now_s`, in Unix seconds, and writes what it found into `report`.
//
// `list` is the published list of revoked licences (`[{"jti", "revokedAt"}]`), all of it; null where revocation is not to be
// checked, which the report then says. `NEXA_STATUS_REFUSED` where it is malformed: the report denies.
//
// # Safety
// `verifier` is null or was made by `nexa_verifier_init`, `report` is null or memory for one; the other pointers are null or
// hold what their lengths say.
nexa_status nexa_verifier_check(const nexa_verifier *verifier,
                                uint64_t now_s,
                                const char *token,
                                size_t token_bytes,
                                const char *list,
                                size_t list_bytes,
                                nexa_report *report,
                                nexa_problem *problem);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* NEXA_VERIFY_H */
