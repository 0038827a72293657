// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "cli/invocation.h"

namespace penstock::cli {

// --tokenizer FILE: a tokenizer.json, or a GGUF, of which only the head is sent. It is read here
// first, so that what no gateway can count with is told before anything is uploaded. Answers its
// hash; an empty one for "none"; nothing without the flag.
io::Task<Result<std::optional<std::string>>> upload_tokenizer(Invocation* invocation);

// "12 calls, input 30.12 %, output 0.40 % at most": by how much engine and gateway differed.
std::string second_meter_cell(const json::Value& row, const Look& look);

}  // namespace penstock::cli
