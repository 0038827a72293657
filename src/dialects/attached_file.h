// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dialects/fields.h"

// Files that a client puts into a turn: parts of kind `document`. Its bytes are in `data` (base64),
// a plain text may be in `text`; else it is at `url`. What is on a platform (file_id) stays native.
namespace penstock::dialects {

// {"type":"file","file":{"filename","file_data":"data:TYPE;base64,…"}}
Part read_chat_file(Json value, std::string path, Trouble& trouble);
// null where Chat cannot say it; the writer is told.
Json chat_file(const Part& part, Writer& writer);
// {"type":"input_file","filename","file_data"|"file_url"}
Part read_input_file(Json value, std::string path, Trouble& trouble);
Json input_file(const Part& part, Writer& writer);
// {"type":"document","title","source":{"type":"base64"|"text"|"url",…}}
Part read_document(Json value, std::string path, Trouble& trouble);
Json document_block(const Part& part, Writer& writer);

}  // namespace penstock::dialects
