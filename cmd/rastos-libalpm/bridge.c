/* SPDX-License-Identifier: GPL-3.0-or-later */
//go:build libalpm

#define _GNU_SOURCE
#include <locale.h>
#include <stdio.h>

#include "bridge.h"

/* The Go side, in callbacks.go. */
extern void goEvent(uintptr_t session, alpm_event_t *event);
extern void goQuestion(uintptr_t session, alpm_question_t *question);
extern void goProgress(uintptr_t session, alpm_progress_t kind, char *pkg, int percent, size_t howmany, size_t current);
extern void goDownload(uintptr_t session, char *file, alpm_download_event_type_t kind, void *data);
extern int goFetch(uintptr_t session, char *url, char *dir, int force);
extern void goLog(uintptr_t session, alpm_loglevel_t level, char *text);

static void on_event(void *ctx, alpm_event_t *event)
{
	goEvent((uintptr_t)ctx, event);
}

static void on_question(void *ctx, alpm_question_t *question)
{
	goQuestion((uintptr_t)ctx, question);
}

static void on_progress(void *ctx, alpm_progress_t kind, const char *pkg, int percent, size_t howmany, size_t current)
{
	goProgress((uintptr_t)ctx, kind, (char *)pkg, percent, howmany, current);
}

static void on_download(void *ctx, const char *file, alpm_download_event_type_t kind, void *data)
{
	goDownload((uintptr_t)ctx, (char *)file, kind, data);
}

static int on_fetch(void *ctx, const char *url, const char *dir, int force)
{
	return goFetch((uintptr_t)ctx, (char *)url, (char *)dir, force);
}

static void on_log(void *ctx, alpm_loglevel_t level, const char *format, va_list args)
{
	char *text = NULL;

	if(vasprintf(&text, format, args) < 0) {
		return;
	}
	goLog((uintptr_t)ctx, level, text);
	free(text);
}

void bridge_connect(alpm_handle_t *handle, uintptr_t session, int fetch)
{
	void *ctx = (void *)session;

	alpm_option_set_logcb(handle, on_log, ctx);
	alpm_option_set_eventcb(handle, on_event, ctx);
	alpm_option_set_questioncb(handle, on_question, ctx);
	alpm_option_set_progresscb(handle, on_progress, ctx);
	alpm_option_set_dlcb(handle, on_download, ctx);
	if(fetch) {
		alpm_option_set_fetchcb(handle, on_fetch, ctx);
	}
}

void bridge_locale(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
}

int bridge_add_cache_server(alpm_db_t *db, const char *url)
{
#if LIBALPM_MAJOR >= 14
	return alpm_db_add_cache_server(db, url);
#else
	(void)db;
	(void)url;
	return 0; /* a cache server only saves a mirror work */
#endif
}

int bridge_sandbox(alpm_handle_t *handle, const char *user, int off)
{
#if LIBALPM_MAJOR >= 15
	if(user && alpm_option_set_sandboxuser(handle, user) != 0) {
		return -1;
	}
	return alpm_option_set_disable_sandbox(handle, off);
#else
	(void)handle;
	(void)user;
	(void)off;
	return 0;
#endif
}

int bridge_no_hooks(void)
{
#if LIBALPM_MAJOR >= 14
	return ALPM_TRANS_FLAG_NOHOOKS;
#else
	return 0;
#endif
}

int bridge_reason(alpm_pkg_t *pkg)
{
	return alpm_pkg_get_reason(pkg) == ALPM_PKG_REASON_DEPEND;
}

const char *bridge_conflict_first(const alpm_conflict_t *conflict)
{
#if LIBALPM_MAJOR >= 14
	return alpm_pkg_get_name(conflict->package1);
#else
	return conflict->package1;
#endif
}

const char *bridge_conflict_second(const alpm_conflict_t *conflict)
{
#if LIBALPM_MAJOR >= 14
	return alpm_pkg_get_name(conflict->package2);
#else
	return conflict->package2;
#endif
}

const char *bridge_key_user(const alpm_question_import_key_t *question)
{
#if LIBALPM_MAJOR >= 14
	return question->uid;
#else
	return question->key->uid;
#endif
}

const char *bridge_key_fingerprint(const alpm_question_import_key_t *question)
{
#if LIBALPM_MAJOR >= 14
	return question->fingerprint;
#else
	return question->key->fingerprint;
#endif
}

alpm_list_t *bridge_xdata(alpm_pkg_t *pkg)
{
#if LIBALPM_MAJOR >= 14
	return alpm_pkg_get_xdata(pkg);
#else
	(void)pkg;
	return NULL;
#endif
}

const char *bridge_xdata_name(alpm_list_t *at)
{
#if LIBALPM_MAJOR >= 14
	return ((alpm_pkg_xdata_t *)at->data)->name;
#else
	(void)at;
	return NULL;
#endif
}

const char *bridge_xdata_value(alpm_list_t *at)
{
#if LIBALPM_MAJOR >= 14
	return ((alpm_pkg_xdata_t *)at->data)->value;
#else
	(void)at;
	return NULL;
#endif
}

static void free_all(alpm_list_t *list, alpm_list_fn_free one)
{
	alpm_list_free_inner(list, one);
	alpm_list_free(list);
}

void bridge_free_missing(alpm_list_t *list)
{
	free_all(list, (alpm_list_fn_free)alpm_depmissing_free);
}

void bridge_free_conflicts(alpm_list_t *list)
{
	free_all(list, (alpm_list_fn_free)alpm_conflict_free);
}

void bridge_free_file_conflicts(alpm_list_t *list)
{
	free_all(list, (alpm_list_fn_free)alpm_fileconflict_free);
}

void bridge_free_strings(alpm_list_t *list)
{
	free_all(list, free);
}
