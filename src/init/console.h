/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Talking to the person in front of the computer: every message goes to every console that the
 * kernel uses, and an answer may come from any of them.
 */
#pragma once

#include <stdbool.h>

#include <base/cleanup.h>
#include <base/diag.h>

/* Open the kernel's consoles; without any, standard error is the only one. Call it when /dev and
 * /sys are there, and again when a console may have come. Replaces what was open. */
void console_open(void);

/* One line that begins with "Lethe: ". */
void console_say(const char *format, ...) PRINTF(1, 2);

/* As console_say(), but only after console_be_verbose(true). */
void console_note(const char *format, ...) PRINTF(1, 2);
void console_be_verbose(bool verbose);

/* Say @question and wait @milliseconds at most for a line on any console. Returns true if one came
 * and is exactly @expected; what was typed before the question does not count. */
bool console_ask(const char *question, const char *expected, unsigned milliseconds);

typedef void console_meanwhile(void *argument);

/* Say "Lethe stopped: " with the message and the hint, wait for Enter for as long as it takes, and
 * turn the computer off. @meanwhile is called every second of the waiting; it may be NULL. */
_Noreturn void console_stop(const struct diag *diag, console_meanwhile *meanwhile, void *argument);

/* From here on a crash of this process says so and does as console_stop(): the kernel's panic,
 * which is what the end of PID 1 becomes, tells nobody anything. */
void console_catch_crashes(void);
