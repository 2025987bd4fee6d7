// SPDX-License-Identifier: Apache-2.0
// The ids that a verdict may use, with what is to be said about them in plain words. May include: core.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// One hypervisor.
struct hypervisor {
    const char *id;
    const char *title;
    double prior;      // how common it is among machines on which someone asks; only settles ties
    int type;          // 1: no host OS below; 2: a host OS below; 0: depends on the product
    const char *below; // what is below the guest: the type's reason, a sentence without its full stop
};

// The hypervisors, "none" included, ended by a NULL id.
extern const struct hypervisor hypervisors[];

// Looks an id up; NULL if there is no such hypervisor.
const struct hypervisor *hypervisor_find(const char *id);

// Static text for the id in the first `length` bytes of `text`, searched among everything that signatures name (so
// results never point into evidence). NULL if unknown.
const char *name_intern(const char *text, size_t length);

// A readable title of any id ("gcp" -> "Google Cloud"); the id itself where there is none.
const char *name_title(const char *id);

// What an id that is no hypervisor's names.
enum name_category { NAME_VMM, NAME_CLOUD, NAME_CONTAINER, NAME_ROLE, NAME_MODE, NAME_CONFIDENTIAL, NAME_CATEGORIES };

// The ids that are not hypervisors, by number; NULL behind the last.
const char *name_other(size_t number, enum name_category *category);

// True if `id` is there and equals `word`.
bool name_is(const char *id, const char *word);
