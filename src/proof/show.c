/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How answers look, to people and to programs. */
#include "program.h"

#include <base/json.h>
#include <packet/spec.h>
#include <stdarg.h>
#include <string.h>

void program_complain(int error, const char *format, ...)
{
	char text[DIAG_MESSAGE_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "lethe-proof: %s%s%s\n", text, error < 0 ? ": " : "",
		error < 0 ? strerror(-error) : "");
}

int program_write(struct buf *out, int status)
{
	int r = buf_finish(out);

	if (r == 0 && (fwrite(buf_text(out), 1, out->len, stdout) != out->len || fflush(stdout)))
		r = neg_errno();
	if (r < 0) {
		program_complain(r, "cannot write the output");
		return PROGRAM_UNKNOWN;
	}
	return status;
}

struct policy *program_load(const struct program_options *options, const char *path)
{
	struct policy_options how = {.passwd = options->passwd};
	char text[DIAG_FILE_MAX + 2 * DIAG_MESSAGE_MAX + 64];
	struct policy *policy = NULL;
	struct diag diag = {0};
	int r = policy_load(path, &how, &diag, &policy);

	if (r == 0)
		return policy;
	if (!diag.message[0])
		diag_set(&diag, path, 0, 0, "cannot be read: %s", strerror(-r));
	diag_format(&diag, text, sizeof(text));
	fprintf(stderr, "%s\n", text);
	return NULL;
}

const char *show_fault(enum proof_fault fault)
{
	switch (fault) {
	case PROOF_LEAK:
		return "the kernel lets pass what the policy does not grant";
	case PROOF_REWRITES:
		return "the kernel changes a packet and sends it on";
	case PROOF_BLOCKS:
		return "the kernel stops what the policy grants";
	case PROOF_MANNER:
		return "the kernel refuses in another manner than the policy says";
	case PROOF_PROXIES:
		return "the kernel hands a packet to another proxy than the policy says";
	case PROOF_NO_FAULT:
		break;
	}
	return "no fault";
}

static const char *action_text(enum policy_action action)
{
	switch (action) {
	case POLICY_DROP:
		return "drop";
	case POLICY_RESET:
		return "refuse, by a reset";
	case POLICY_UNREACHABLE:
		return "refuse, by an ICMP error";
	case POLICY_ACCEPT:
		return "accept";
	case POLICY_PROXY:
		return "hand to the proxy";
	}
	return "unknown";
}

static const char *outcome_text(const struct proof_example *example)
{
	if (example->rewritten)
		return "accepted, changed";
	switch (example->kernel.outcome) {
	case RULESET_DROPPED:
		return "dropped";
	case RULESET_RESET:
		return "refused, by a reset";
	case RULESET_UNREACHABLE:
		return "refused, by an ICMP error";
	case RULESET_PASSED:
		return "accepted";
	case RULESET_PROXIED:
		return "handed to the proxy";
	case RULESET_UNDECIDED:
		break;
	}
	return "not known";
}

/* Which rule decides: its place as people count, and what it says for people. */
static void print_rule(const struct ruleset_result *kernel, struct buf *out)
{
	if (!kernel->table || !kernel->chain) {
		buf_puts(out, "no rule: nothing is asked");
		return;
	}
	buf_printf(out, "table %s %s, chain %s, ", ruleset_family_name(kernel->table->family),
		   kernel->table->name, kernel->chain->name);
	if (!kernel->rule) {
		buf_puts(out, "its policy");
		return;
	}
	buf_printf(out, "rule %zu", (size_t)(kernel->rule - kernel->chain->rules) + 1);
	if (kernel->rule->handle)
		buf_printf(out, " (handle %llu)", (unsigned long long)kernel->rule->handle);
	if (kernel->rule->comment[0])
		buf_printf(out, ": %s", kernel->rule->comment);
}

static void print_place(const struct policy_place *place, struct buf *out)
{
	if (place->file)
		buf_printf(out, "%s:%u", place->file, place->line);
	else
		buf_puts(out, "built in");
}

static void print_packet(const struct proof_example *example, const struct policy *policy,
			 struct buf *out)
{
	const struct policy_user *user = NULL;

	packet_print(&example->packet, out);
	if (policy && example->packet.owned)
		user = policy_find_user(policy, example->packet.uid);
	if (user)
		buf_printf(out, " (%s)", user->name);
	if (example->packet.loopback)
		buf_puts(out, ", device lo");
	else if (example->device[0])
		buf_printf(out, ", device %s", example->device);
}

void show_example(const struct proof_example *example, enum proof_fault fault,
		  const struct policy *policy, struct buf *out)
{
	AUTO_BUF struct buf spec = {.cap = 1024};

	buf_puts(out, "  packet:  ");
	print_packet(example, policy, out);
	if (example->circumstances.len)
		buf_printf(out, "\n  if:      %s", buf_text(&example->circumstances));
	if (example->policy.reason) {
		buf_printf(out, "\n  policy:  %s; %s (", action_text(example->policy.action),
			   example->policy.reason);
		print_place(&example->policy.place, out);
		buf_puts(out, ")");
	}
	buf_printf(out, "\n  kernel:  %s; ", outcome_text(example));
	print_rule(&example->kernel, out);
	packet_spec_print(&example->packet, &spec);
	buf_printf(out, "\n  send it: sudo tests/lab/lab send %s\n", buf_text(&spec));
}

void show_example_json(const struct proof_example *example, const struct policy *policy,
		       struct json *json)
{
	AUTO_BUF struct buf text = {.cap = 4096}, spec = {.cap = 1024}, rule = {.cap = 1024},
				place = {.cap = 1024};

	print_packet(example, policy, &text);
	packet_spec_print(&example->packet, &spec);
	print_rule(&example->kernel, &rule);
	print_place(&example->policy.place, &place);
	json_object_begin(json, "example");
	json_string(json, "packet", buf_text(&text));
	json_string(json, "spec", buf_text(&spec));
	json_string(json, "device", example->device);
	json_string(json, "if", buf_text(&example->circumstances));
	json_string(json, "policy", example->policy.reason
					? action_text(example->policy.action)
					: "");
	json_string(json, "policy_reason", example->policy.reason ? example->policy.reason : "");
	json_string(json, "policy_place", buf_text(&place));
	json_string(json, "kernel", outcome_text(example));
	json_string(json, "kernel_rule", buf_text(&rule));
	json_object_end(json);
}
