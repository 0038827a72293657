// SPDX-License-Identifier: Apache-2.0
#include "model/access.h"
#include "model/quantity_codec.h"

JSON_INSTANTIATE(penstock::Organisation);
JSON_INSTANTIATE(penstock::Project);
JSON_INSTANTIATE(penstock::User);
JSON_INSTANTIATE(penstock::Key);
JSON_INSTANTIATE(penstock::CreatedKey);
JSON_INSTANTIATE(penstock::CreateKey);
JSON_INSTANTIATE(penstock::UpdateKey);
JSON_INSTANTIATE(penstock::UpdateLimits);
JSON_INSTANTIATE(penstock::CreateOrganisation);
JSON_INSTANTIATE(penstock::CreateProject);
JSON_INSTANTIATE(penstock::CreateUser);
JSON_INSTANTIATE(penstock::WhoAmI);
