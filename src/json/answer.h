// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "base/result.h"

namespace penstock::json {

// As parse(), for a client that reads an answer: a field that it does not know is left out, so that
// a newer server may say more. What is missing or of the wrong type is an error here too. Requests
// are read with parse(): there an unknown field is a mistake that must not be passed over.
template <class T>
Result<T> parse_answer(std::string_view text);

}  // namespace penstock::json
