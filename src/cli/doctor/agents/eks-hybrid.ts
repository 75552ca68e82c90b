/**
 * EKS Hybrid Nodes: nodeadm switches its own metadata client off; the agents beside it are judged on their own lines.
 */
import type { Agent, Judgement } from "./agent.js";
import { ON_EC2 } from "./agent.js";

export const eksHybrid: Agent = {
  id: "eks-hybrid",
  name: "EKS Hybrid Nodes",
  signs: () => ["/etc/aws/hybrid", "/eks-hybrid/.aws"],
  judge({ host }): Judgement[] {
    if (host.verdict === "ec2") return [ON_EC2];
    return [
      {
        status: "ok",
        says: "nodeadm does not use the metadata service; pods of this node can still reach the address unless it is blocked",
      },
    ];
  },
};
