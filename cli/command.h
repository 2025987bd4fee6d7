// SPDX-License-Identifier: Apache-2.0
// The commands of the program: one cmd_NAME.c each. argv[0] is the command's name; the result is the exit code of
// core/error.h. A command parses its options, calls into one room, and prints; it does no measuring and no arithmetic.
#pragma once

int cmd_detect(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_gate(int argc, char **argv);
int cmd_watch(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_agent(int argc, char **argv); // for launchers, not in the list of commands
int cmd_list(int argc, char **argv);
