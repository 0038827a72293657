// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "identity/c_url.h"
#include "identity/scanner.h"

// The readers of the sections behind the authority; internal to `parse`. Each takes its section
// without the separator in front, fills `out`, and returns false with the error in `verdict`.
namespace penstock::identity {

bool read_resource_part(Token part, ResourcePart& out, Verdict& verdict);
bool read_spec_part(Token part, SpecPart& out, Verdict& verdict);
bool read_path_part(Token part, PathPart& out, Verdict& verdict);
bool read_service_part(Token part, ServicePart& out, Verdict& verdict);
bool read_instance_part(Token part, InstancePart& out, Verdict& verdict);
bool read_query(Token query, Query& out, Verdict& verdict);

// label = 1*let-dig *( 1*"-" 1*let-dig ), lower case.
bool is_label(std::string_view text, std::size_t length_max);

}  // namespace penstock::identity
