/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "transfer.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <time.h>

#include "date.h"

/* Where an SSL_CTX has the window of its transfer. */
static int window_index(void)
{
	static int made = -1;

	if (made < 0)
		made = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	return made;
}

static int64_t seconds_of(const ASN1_TIME *time, int64_t otherwise)
{
	struct tm parts = {0};
	int64_t seconds;

	if (!time || ASN1_TIME_to_tm(time, &parts) != 1)
		return otherwise;
	/* Earlier than all that is asked about. */
	if (parts.tm_year < 70)
		return 0;
	if (date_make(parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
		      parts.tm_min, parts.tm_sec, &seconds) < 0)
		return otherwise;
	return seconds;
}

/* A time that cannot be read makes the window empty. */
static void narrow(struct tls_window *window, const X509 *certificate)
{
	int64_t from = seconds_of(X509_get0_notBefore(certificate), INT64_MAX);
	int64_t until = seconds_of(X509_get0_notAfter(certificate), 0);

	if (!window->seen || from > window->not_before)
		window->not_before = from;
	if (!window->seen || until < window->not_after)
		window->not_after = until;
	window->seen = true;
}

/* Called by OpenSSL for each certificate of the chain that it has found; changes no verdict. */
static int look(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_window *window =
	    ssl ? SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), window_index()) : NULL;
	const X509 *certificate = X509_STORE_CTX_get_current_cert(store);

	if (!window)
		return 0;
	if (!ok)
		window->untrusted = true;
	else if (certificate)
		narrow(window, certificate);
	return ok;
}

CURLcode tls_prepare(CURL *easy, void *context, void *data)
{
	struct transfer *transfer = data;
	SSL_CTX *ssl = context;

	(void)easy;
	if (window_index() < 0 ||
	    SSL_CTX_set_ex_data(ssl, window_index(), &transfer->tls) != 1 ||
	    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ssl), X509_V_FLAG_NO_CHECK_TIME) != 1)
		return CURLE_SSL_CONNECT_ERROR;
	SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, look);
	return CURLE_OK;
}
