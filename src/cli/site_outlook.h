// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/invocation.h"
#include "model/outlook.h"

// What a site states of its hours to come: stated from a file, and shown.
namespace penstock::cli {

Command outlook_command();
// For people, after the site itself: that it states one and how old that is.
io::Task<void> say_outlook(Invocation* invocation, std::string site);
// Strict: every hour in turn, none left out, each with a value in range. `name` stands in errors.
Result<OutlookSpec> outlook_from_csv(const std::string& text, const std::string& name);

}  // namespace penstock::cli
