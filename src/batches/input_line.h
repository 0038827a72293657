// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "model/batch.h"

namespace penstock::batches {

constexpr std::size_t kLineBytesMax = 8UL * 1024 * 1024;
constexpr std::size_t kCustomIdBytesMax = 512;

// {"custom_id": "…", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m", …}}
struct InputLine {
    std::string custom_id;
    std::string url;
    std::string model;
    std::string_view body;  // as it stands in the text
};
// Borrows from `text`. The fault has no number of a line yet.
std::expected<InputLine, BatchFault> read_line(std::string_view text, std::string_view endpoint);

// The first member of a line's body that chooses its engine or another model, as an interactive
// call may: of a batch the platform places lines, at the batch price of one model. Nothing where
// there is none; null is as if it were not there.
std::optional<BatchFault> routing_fault(std::string_view body);

// The endpoints that lines may name.
bool is_batch_endpoint(std::string_view endpoint);

}  // namespace penstock::batches
