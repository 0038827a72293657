// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>

#include "http/message.h"
#include "http/websocket.h"
#include "io/task_group.h"
#include "model/agent_protocol.h"
#include "server/api.h"
#include "server/files.h"

namespace penstock::server {

constexpr std::size_t kSessionQueueMax =
    4096;  // messages to one agent; beyond it the session is cut

// The sessions of connected agents, one a node; a newer one of the same node replaces the older.
class AgentHub {
  public:
    AgentHub(Api& api, LogStore& logs);
    // GET /v1/agent/session
    void add_routes();
    // To the node's agent if it is connected; otherwise it learns of it when it says hello.
    void send_start(const Attempt& attempt);
    void send_stop(const tasks::Stop& stop);
    void send_go(const tasks::Go& go);
    // Nodes that fell silent: their attempts recover.
    void tick(Change& change);
    // Ends all sessions.
    io::Task<void> close();
    bool connected(NodeId node) const { return sessions_.contains(node); }

  private:
    struct Session {
        std::shared_ptr<http::WebSocket> socket;
        NodeId node_id;
        SiteId site_id;
    };
    io::Task<void> serve(std::shared_ptr<http::WebSocket> socket, access::Principal principal);
    io::Task<Result<void>> handle(Session* session, AgentMessage message);
    io::Task<Result<void>> on_hello(Session* session, AgentHello hello);
    io::Task<Result<void>> on_report(Session* session, AttemptReport report);
    io::Task<Result<void>> on_logs(Session* session, LogBatch batch);
    void on_heartbeat(Session* session, const AgentHeartbeat& heartbeat);
    // Stops what should not run there, starts what should, ends what the agent has lost.
    void reconcile(Change& change, NodeId node, const AgentHello& hello);
    void update_service(Change& change, const Attempt& attempt);
    void send(NodeId node, ServerMessage message);
    static io::Task<void> deliver(std::shared_ptr<http::WebSocket> socket, std::string text);
    // To an agent that said hello: what it is to start, to stop, and to let go.
    void catch_up(NodeId node, const AgentHello& hello);

    Api& api_;
    Platform& platform_;
    LogStore& logs_;
    io::TaskGroup group_;
    std::map<NodeId, Session*> sessions_;
    std::map<NodeId, std::int64_t> acknowledged_;  // newest durable report of each node
};

// Everything its agent needs to run an attempt (start_attempt.cpp).
StartAttempt start_of(const Platform& platform, const Attempt& attempt);

}  // namespace penstock::server
