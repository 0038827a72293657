// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "cli/messages_en.h"

namespace penstock::cli {
// The Chinese texts, in any order; the keys are those of kMessagesEn.
std::span<const Message> messages_zh();
std::span<const Message> messages_zh_of_flags();  // a part of them
}  // namespace penstock::cli
