/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGE_IDS_H
#define COMMON_MESSAGE_IDS_H

/*
 * MESSAGE_ID of events in the life of a run and of the service. Scripts select by them
 * (journalctl MESSAGE_ID=…), so they never change; `journalctl -x` shows their text from
 * packaging/catalog/runbookd.catalog. tests/lint/catalog.sh compares both lists.
 */

#define MESSAGE_ID_DELIVERY_ACCEPTED "b320e53ddb4144d986f0155a5a0f7af6"
#define MESSAGE_ID_RUN_STARTED "ce7ff352269740c98f2089b35ddc3107"
#define MESSAGE_ID_RUN_ENDED "9694fcba1fde439ba2c5c91c14c9ab02"
#define MESSAGE_ID_STEP_STARTED "e951c3a91b894cf7806276dd93f717d7"
#define MESSAGE_ID_STEP_ENDED "9d3267763df4453fbd43adab20bc6af3"
#define MESSAGE_ID_STEP_SKIPPED "8506efa8496841878d83eec6acb3e87c"
#define MESSAGE_ID_PART_DIED "57bce1666da74b78999eb64c1ab1b20e"
#define MESSAGE_ID_RELOAD_REFUSED "ea2e6324d45e4ba9a02fe2859d7f5475"
#define MESSAGE_ID_RETENTION "6f0c9a7be4fb4f0c9a3d2e51b8c7d604"

#endif
