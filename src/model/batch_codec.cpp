// SPDX-License-Identifier: Apache-2.0
#include "model/batch.h"
#include "model/batch_explanation.h"
#include "model/quantity_codec.h"

JSON_INSTANTIATE(penstock::StoredFile);
JSON_INSTANTIATE(penstock::FileObject);
JSON_INSTANTIATE(penstock::FileList);
JSON_INSTANTIATE(penstock::DeletedObject);
JSON_INSTANTIATE(penstock::CreateBatch);
JSON_INSTANTIATE(penstock::StoredBatch);
JSON_INSTANTIATE(penstock::BatchObject);
JSON_INSTANTIATE(penstock::BatchList);
JSON_INSTANTIATE(penstock::BatchExplanation);
JSON_INSTANTIATE(penstock::ReportUses);
JSON_INSTANTIATE(penstock::TakenUses);
JSON_INSTANTIATE(penstock::ClaimLines);
JSON_INSTANTIATE(penstock::ClaimedLines);
JSON_INSTANTIATE(penstock::ReportLines);
JSON_INSTANTIATE(penstock::ReportedLines);
