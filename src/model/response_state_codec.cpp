// SPDX-License-Identifier: Apache-2.0
#include "json/codec.h"
#include "model/response_state.h"

JSON_INSTANTIATE(penstock::StoredResponse);
JSON_INSTANTIATE(penstock::StoredConversation);
JSON_INSTANTIATE(penstock::ConversationObject);
JSON_INSTANTIATE(penstock::CreateConversation);
JSON_INSTANTIATE(penstock::UpdateConversation);
JSON_INSTANTIATE(penstock::AddItems);
JSON_INSTANTIATE(penstock::ItemList);
JSON_INSTANTIATE(penstock::ExpandTurn);
JSON_INSTANTIATE(penstock::ExpandedTurn);
JSON_INSTANTIATE(penstock::KeepTurn);
JSON_INSTANTIATE(penstock::KeptTurn);
