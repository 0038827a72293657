// SPDX-License-Identifier: Apache-2.0
#include "model/device_list_codec.h"
#include "model/page.h"
#include "model/quantity_codec.h"

JSON_INSTANTIATE(penstock::TaskPage);
JSON_INSTANTIATE(penstock::AttemptPage);
JSON_INSTANTIATE(penstock::ItemPage);
JSON_INSTANTIATE(penstock::EventPage);
JSON_INSTANTIATE(penstock::LogPage);
JSON_INSTANTIATE(penstock::SitePage);
JSON_INSTANTIATE(penstock::NodePage);
JSON_INSTANTIATE(penstock::OfferPage);
JSON_INSTANTIATE(penstock::KeyPage);
JSON_INSTANTIATE(penstock::OrganisationPage);
JSON_INSTANTIATE(penstock::ProjectPage);
JSON_INSTANTIATE(penstock::UserPage);
JSON_INSTANTIATE(penstock::EndpointPage);
JSON_INSTANTIATE(penstock::ModelPage);
JSON_INSTANTIATE(penstock::BillPage);
JSON_INSTANTIATE(penstock::GatewayPage);
JSON_INSTANTIATE(penstock::GatewayRoutePage);
JSON_INSTANTIATE(penstock::GatewayLeasePage);
JSON_INSTANTIATE(penstock::Problem);
JSON_INSTANTIATE(penstock::Version);
JSON_INSTANTIATE(penstock::DecisionPage);
