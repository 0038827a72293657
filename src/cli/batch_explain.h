// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/invocation.h"
#include "model/batch_explanation.h"

namespace penstock::cli {

// "batch/ID" or the id of a batch, as commands that take any noun get it.
bool names_batch(std::string_view operand);
std::string batch_id_of(std::string operand);
// Why its lines wait, and when it is expected to end.
std::string batch_lines(const BatchExplanation& explanation, Language language);
io::Task<Result<int>> explain_batch(Invocation* invocation);

}  // namespace penstock::cli
