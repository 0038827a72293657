// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "dialects/canonical.h"
#include "dialects/json_tree.h"

// How a stream says what no event of its dialect has a word for, such as that two engines answered:
// ": penstock {…}" between events, which clients of server-sent events pass over, and a member
// "penstock" beside the usage. Pure.
namespace penstock::gateway {

// Puts the mark in front of the first bytes of the second engine; in a line of Ollama's into it.
void mark_continued(std::string& out, dialects::Dialect client, const dialects::Json& mark);
// Puts it into the event that tells the usage; in Ollama's into the last line.
void put_in_usage(std::string& out, dialects::Dialect client, const dialects::Json& mark);
// The same, and in front of the last ones.
void mark_usage(std::string& out, dialects::Dialect client, const dialects::Json& mark);

}  // namespace penstock::gateway
