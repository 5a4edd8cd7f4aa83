/* SPDX-License-Identifier: GPL-3.0-or-later */

#ifndef RASTOS_BRIDGE_H
#define RASTOS_BRIDGE_H

#include <stdint.h>
#include <stdlib.h>
#include <alpm.h>

/* alpm.h does not tell its version; `make libalpm` asks pkg-config for it. */
#ifndef LIBALPM_MAJOR
#error "LIBALPM_MAJOR is not set: build with make libalpm"
#elif LIBALPM_MAJOR < 13 || LIBALPM_MAJOR > 16
#error "libalpm 13 to 16 are supported (pacman 6.0 to 7.x)"
#endif

/* bridge_connect sends all callbacks of a handle to the Go functions of a
 * session. */
void bridge_connect(alpm_handle_t *handle, uintptr_t session, int fetch);

/* bridge_locale makes libarchive read and write names as UTF-8 and leaves
 * messages as they are. */
void bridge_locale(void);

/* What differs between the versions of the library. */
int bridge_add_cache_server(alpm_db_t *db, const char *url);
int bridge_sandbox(alpm_handle_t *handle, const char *user, int off);
int bridge_no_hooks(void); /* the flag; 0: the library has none */
int bridge_reason(alpm_pkg_t *pkg);
const char *bridge_conflict_first(const alpm_conflict_t *conflict);
const char *bridge_conflict_second(const alpm_conflict_t *conflict);
const char *bridge_key_user(const alpm_question_import_key_t *question);
const char *bridge_key_fingerprint(const alpm_question_import_key_t *question);

/* bridge_xdata returns the next of a package's XDATA, or 0. */
alpm_list_t *bridge_xdata(alpm_pkg_t *pkg);
const char *bridge_xdata_name(alpm_list_t *at);
const char *bridge_xdata_value(alpm_list_t *at);

void bridge_free_missing(alpm_list_t *list);
void bridge_free_conflicts(alpm_list_t *list);
void bridge_free_file_conflicts(alpm_list_t *list);
void bridge_free_strings(alpm_list_t *list);

#endif
