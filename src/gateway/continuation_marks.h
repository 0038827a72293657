// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "dialects/canonical.h"
#include "dialects/json_tree.h"

// How a stream that two engines answered says so: ": penstock {…}" between events, which clients of
// server-sent events pass over, and a member "penstock" beside the usage. Pure.
namespace penstock::gateway {

// Puts the mark in front of the first bytes of the second engine; in a line of Ollama's into it.
void mark_continued(std::string& out, dialects::Dialect client, const dialects::Json& mark);
// Puts it into the event that tells the usage, and in front of the last ones.
void mark_usage(std::string& out, dialects::Dialect client, const dialects::Json& mark);

}  // namespace penstock::gateway
