"""Problems over PyTorch modules; nothing here imports torch before an oracle is asked for.

`problem` (a user's module, loss and rows), `cnn` (a small one that is built in), and what both
are made of: `samples` (rows to tensors), `flat` (parameters as one vector), `oracle`.
"""

from netcomp.problems.torch.cnn import Cnn
from netcomp.problems.torch.problem import ModuleProblem, Task, TorchProblem, accuracy

__all__ = ["Cnn", "ModuleProblem", "Task", "TorchProblem", "accuracy"]
