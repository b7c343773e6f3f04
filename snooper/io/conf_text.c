/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The half of conf_value.h whose values stay text. */
#include "snooper/io/conf_value.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "bpf/snp_endpoint.h"
#include "snooper/core/name.h"

#define ID_MAX		63
#define GROUP_MAX	32
#define COMMON_NAME_MAX 256 /* 64 characters (RFC 5280 A.1) of UTF-8 */
#define LABEL_MAX	317 /* what Kubernetes allows: a prefix of 253, a slash, a name of 63 */

static bool all_of(const char *text, const char *others)
{
	for (; *text; text++) {
		bool letter = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');
		bool digit = *text >= '0' && *text <= '9';

		if (!letter && !digit && !strchr(others, *text))
			return false;
	}
	return true;
}

static bool has_control(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	}
	return false;
}

const char *conf_value_path(const char *text)
{
	if (*text != '/')
		return "is not an absolute path";
	if (strlen(text) >= PATH_MAX)
		return "is longer than a path may be";
	if (has_control(text))
		return "has a control character in it";
	for (const char *p = text; *p; p += strcspn(p, "/")) {
		size_t len;

		p += strspn(p, "/");
		len = strcspn(p, "/");
		if ((len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
			return "has . or .. in it: write the path out";
	}
	return NULL;
}

const char *conf_value_glob(const char *text)
{
	const char *why = conf_value_path(text);

	if (!why && strlen(text) >= SNP_GLOB_PATH_BYTES)
		return "is longer than 511 bytes";
	if (!why && strpbrk(text, "[]{}"))
		return "has brackets or braces: only * and ? are known here";
	return why;
}

const char *conf_value_socket(const char *text)
{
	if (strlen(text) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return "is longer than the 107 bytes a socket's path may have";
	return conf_value_path(text);
}

const char *conf_value_listen(const char *text)
{
	struct snp_endpoint e;

	if (!strncmp(text, "unix:", 5))
		return conf_value_socket(text + 5);
	return conf_value_endpoint(text, &e);
}

const char *conf_value_metrics(const char *text)
{
	struct snp_endpoint e;

	return snp_conf_metrics_off(text) ? NULL : conf_value_endpoint(text, &e);
}

const char *conf_value_group(const char *text)
{
	if (!*text)
		return "is empty";
	if (strlen(text) > GROUP_MAX || !all_of(text, "_.-") || *text == '-')
		return "is not the name of a group";
	return NULL;
}

const char *conf_value_id(const char *text)
{
	if (!*text)
		return "is empty";
	if (strlen(text) > ID_MAX)
		return "is longer than 63 characters";
	if (!all_of(text, "_.-"))
		return "has other characters than letters, digits, '_', '.' and '-'";
	return NULL;
}

const char *conf_value_common_name(const char *text)
{
	if (!*text)
		return "is empty";
	if (strlen(text) > COMMON_NAME_MAX)
		return "is longer than a common name may be";
	return has_control(text) ? "has a control character in it" : NULL;
}

const char *conf_value_dns_name(const char *text)
{
	uint8_t wire[256];

	return name_from_text(text, wire) < 0 ? "is not a domain name" : NULL;
}

const char *conf_value_label(const char *text)
{
	if (strlen(text) > LABEL_MAX)
		return "is longer than 317 characters";
	if (!all_of(text, "_.-/"))
		return "has other characters than letters, digits, '_', '.', '-' and '/'";
	return NULL;
}

void conf_value_clean_path(char *path)
{
	char *to = path;

	for (const char *from = path; *from; from++) {
		if (*from == '/' && (from[1] == '/' || (!from[1] && to != path)))
			continue;
		*to++ = *from;
	}
	*to = '\0';
}
