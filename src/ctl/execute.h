/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Command lines of this tool, and programs of others. */

#include "ctl.h"

/* Does what a command line asks for; argv[0] is the name of the tool. Its global options add to those of
 * the line that it is a part of, or start from nothing (NULL). */
ExitCode execute(int argc, char *argv[], const CtlOptions *around);

/* The same for words without the name of the tool, in a process of its own, so that it starts from
 * nothing and ends without taking the caller with it; waits for it. The standard streams are replaced by
 * stdin_fd and stdout_fd unless these are negative. There must be no open Client. */
ExitCode execute_apart(char *const words[], const CtlOptions *around, int stdin_fd, int stdout_fd);

/* Starts a program that is looked for as a shell does. Descriptors as above; environment entries are
 * added to our own (NULL: none). All signals have their defaults in it. Returns a negative errno. */
int program_start(char *const argv[], char *const added[], int stdin_fd, int stdout_fd, pid_t *ret);

/* Ends it: SIGTERM, and SIGKILL when it is still there some seconds later. Returns when it is gone. */
void program_end(pid_t pid);

/* What a shell would say: the exit status, or 128 and the signal. */
int program_status(int wait_status);

/* A descriptor that reads as these bytes, from the first. Returns it, or a negative errno. */
int memory_file(const char *name, const char *bytes, size_t n);
/* What was written to one, with a NUL added, at most max bytes. Returns a negative errno. */
int memory_file_read(int fd, size_t max, char **ret, size_t *ret_n);
